// ONNX Runtime comes from its npm package, which ships the library without headers. Its C interface is a
// versioned table of functions that only grows at the end, so the entries needed here are called by their
// place in it.
#include <dlfcn.h>

#include <cstdlib>
#include <unordered_map>

#include "bench/peers/engine.h"
#include "bench/peers/engines/onnx_graph.h"
#include "bench/peers/graph_nodes.h"
#include "tensor/error.h"

namespace cbnet::peers {
namespace {

struct ApiBase {
  const void* (*get_api)(std::uint32_t version);
  const char* (*get_version)();
};

/// These are the places of the public header, version 1 of the interface.
enum Slot : std::size_t {
  kGetErrorMessage = 2,
  kCreateEnv = 3,
  kCreateSessionFromArray = 8,
  kRun = 9,
  kCreateSessionOptions = 10,
  kSetSessionExecutionMode = 13,
  kSetSessionGraphOptimizationLevel = 23,
  kSetIntraOpNumThreads = 24,
  kSetInterOpNumThreads = 25,
  kCreateTensorWithDataAsOrtValue = 49,
  kCreateCpuMemoryInfo = 69,
};

constexpr std::uint32_t kApiVersion = 1;
constexpr int kWarning = 2, kSequential = 0, kAllOptimizations = 99, kDeviceAllocator = 0, kDefaultMemory = 0,
              kFloat = 1;

/// Opens the library once; what it makes lives as long as the process.
class Runtime {
 public:
  static const Runtime& get() {
    static const Runtime runtime;
    return runtime;
  }

  const char* version() const { return version_; }

  template <class... Args>
  void call(Slot slot, Args... args) const {
    void* status = reinterpret_cast<void* (*)(Args...)>(const_cast<void*>(table_[slot]))(args...);
    if (status != nullptr)
      throw std::runtime_error(concat("[ort] ", reinterpret_cast<const char* (*)(const void*)>(
                                                    const_cast<void*>(table_[kGetErrorMessage]))(status)));
  }

 private:
  Runtime() {
    const char* file = std::getenv("CBNET_ORT_LIBRARY");
    if (file == nullptr) file = CBNET_ORT_LIBRARY;
    void* library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr)
      throw InputError(file, "ONNX Runtime's library", dlerror(), "scripts/bench-peers installs it");
    const auto get_base = reinterpret_cast<const ApiBase* (*)()>(dlsym(library, "OrtGetApiBase"));
    if (get_base == nullptr) throw InputError(file, "the entry OrtGetApiBase", "none");
    version_ = get_base()->get_version();
    // Places in the table are those of the public 1.x interface.
    if (!std::string(version_).starts_with("1.")) throw InputError(file, "a version 1.x", version_);
    table_ = static_cast<const void* const*>(get_base()->get_api(kApiVersion));
    if (table_ == nullptr) throw InputError(file, "version 1 of the interface", "none");
  }

  const char* version_ = nullptr;
  const void* const* table_ = nullptr;
};

using Write = std::string (*)(const PeerModel& model, std::int64_t batch);

template <bool relu_first, bool int8_dense>
std::string sequence(const PeerModel& model, std::int64_t batch) {
  return onnx_graph(model, batch, {relu_first, int8_dense});
}

template <bool int8>
std::string network(const PeerModel& model, std::int64_t batch) {
  return network_graph(model, batch, int8);
}

template <Write write>
class Ort final : public Engine {
 public:
  void prepare(const PeerModel& model, std::int64_t batch, int threads) override {
    const Runtime& ort = Runtime::get();
    const std::string graph = write(model, batch);
    void *env = nullptr, *options = nullptr;
    ort.call(kCreateEnv, kWarning, "cbnet_peers", &env);
    ort.call(kCreateSessionOptions, &options);
    ort.call(kSetSessionExecutionMode, options, kSequential);
    ort.call(kSetSessionGraphOptimizationLevel, options, kAllOptimizations);
    ort.call(kSetIntraOpNumThreads, options, threads);
    ort.call(kSetInterOpNumThreads, options, 1);
    ort.call(kCreateSessionFromArray, env, graph.data(), graph.size(), options, &session_);
    ort.call(kCreateCpuMemoryInfo, kDeviceAllocator, kDefaultMemory, &memory_);
    in_shape_ = model.spec.input;
    in_shape_.insert(in_shape_.begin(), batch);
    if (write == exported_graph) output_ = "logits";
    out_shape_ = {batch, model.width};
  }

  const float* run(const float* pixels, float* out) override {
    void* in_value = value(pixels, in_shape_);
    void* out_value = value(out, out_shape_);
    const void* const inputs[] = {in_value};
    const char* const input_names[] = {"pixels"};
    const char* const output_names[] = {output_};
    Runtime::get().call(kRun, session_, nullptr, input_names, inputs, std::size_t{1}, output_names,
                        std::size_t{1}, &out_value);
    return out;
  }

 private:
  /// Returns a tensor on memory of the caller's, made once per address: passes come back to the same ones.
  void* value(const float* data, const Shape& shape) {
    if (const auto found = values_.find(data); found != values_.end()) return found->second;
    std::size_t bytes = sizeof(float);
    for (const std::int64_t size : shape) bytes *= static_cast<std::size_t>(size);
    void* tensor = nullptr;
    Runtime::get().call(kCreateTensorWithDataAsOrtValue, memory_, const_cast<float*>(data), bytes,
                        shape.data(), shape.size(), kFloat, &tensor);
    values_.emplace(data, tensor);
    return tensor;
  }

  void *session_ = nullptr, *memory_ = nullptr;
  Shape in_shape_, out_shape_;
  const char* output_ = "y";
  std::unordered_map<const float*, void*> values_;
};

template <Write write>
std::unique_ptr<Engine> make() {
  return std::make_unique<Ort<write>>();
}

}  // namespace

EngineInfo engine_info() {
  const auto fits = [](const PeerModel& model, std::int64_t batch) {
    return !model.has_exit() || batch == 1;
  };
  const auto cannot = [](const PeerModel& model) { return missing_counterpart(model.graph); };
  const auto no_sequence = [](const PeerModel&, std::int64_t) { return false; };
  return {"ort",
          Runtime::get().version(),
          {{"plain", "fp32", "graph optimizations ALL, sequential", fits, make<sequence<false, false>>},
           {"relu-first", "fp32", "graph optimizations ALL, sequential, ReLU before the pool",
            [](const PeerModel& model, std::int64_t batch) {
              return model.has<kinds::Conv2d>() && (!model.has_exit() || batch == 1);
            },
            make<sequence<true, false>>},
           {"int8", "int8",
            "graph optimizations ALL, sequential, dense layers DynamicQuantizeLinear + MatMulInteger",
            [](const PeerModel& model, std::int64_t) { return model.has<kinds::Sigmoid>(); },
            make<sequence<true, true>>},
           {"exported", "fp32", "what `cbnet export` writes, graph optimizations ALL, sequential",
            no_sequence, make<exported_graph>, false,
            [](const PeerModel& model) -> std::string {
              return model.classifies() ? "" : "the exporter takes networks that end in one row of numbers";
            }},
           {"folded", "fp32", "batch normalisation folded, graph optimizations ALL, sequential", no_sequence,
            make<network<false>>, false, cannot},
           {"qdq", "int8",
            "every layer between QuantizeLinear and DequantizeLinear, graph optimizations ALL, sequential",
            no_sequence, make<network<true>>, false, cannot}}};
}

}  // namespace cbnet::peers
