#include "tests/fuzz/targets.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <functional>
#include <new>
#include <stdexcept>

#include "cbnet/compression.h"
#include "cbnet/recipe.h"
#include "data/gzip.h"
#include "data/idx.h"
#include "data/image.h"
#include "data/npz.h"
#include "energy/cpu_utilisation.h"
#include "energy/nvidia_smi_row.h"
#include "energy/power_model.h"
#include "models/checkpoint.h"
#include "models/json.h"
#include "models/onnx/onnx.h"
#include "models/safetensors.h"
#include "runtime/plan_file.h"
#include "tensor/error.h"
#include "tests/fuzz/forward.h"
#include "tests/support/failing_allocations.h"

namespace cbnet::testing {
namespace {

/// The bytes as a file, for the readers that take a path: in memory, the same one every time.
std::string as_file(const std::string& bytes) {
  static const int file = ::memfd_create("fuzz", 0);
  if (file < 0 || ::ftruncate(file, 0) != 0 ||
      ::pwrite(file, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    throw std::runtime_error("no file in memory");
  return "/proc/self/fd/" + std::to_string(file);
}

void refused_or_read(const std::function<void()>& parse) {
  try {
    parse();
  } catch (const InputError&) {
  } catch (const std::invalid_argument&) {
  }
}

void idx(const std::string& bytes) {
  const std::string file = as_file(bytes);
  refused_or_read([&] { data::read_idx(file); });
  refused_or_read([&] { data::read_idx_item(file, 1); });
}

void gzip(const std::string& bytes) {
  refused_or_read([&] {
    data::ContentReader reader(as_file(bytes));
    std::array<char, 4096> part{};
    std::uint64_t total = 0;
    for (std::size_t got = 0; (got = reader.read(part.data(), part.size())) > 0;) total += got;
    if (total > reader.content_limit_bytes()) throw std::logic_error("more content than the limit says");
  });
}

void npz(const std::string& bytes) {
  refused_or_read([&] { data::read_npz(as_file(bytes)); });
}

void image(const std::string& bytes) {
  refused_or_read([&] { data::read_image(as_file(bytes)); });
}

/// What is read is what is written again.
void safetensors(const std::string& bytes) {
  refused_or_read([&] {
    const SafetensorsFile file = parse_safetensors(bytes, "fuzz");
    const std::string again = serialize_safetensors(file);
    if (serialize_safetensors(parse_safetensors(again, "again")) != again)
      throw std::logic_error("a file changes when it is read and written");
  });
}

void checkpoint(const std::string& bytes) {
  refused_or_read([&] { run_if_small(load_model(as_file(bytes))); });
}

void json(const std::string& bytes) {
  refused_or_read([&] {
    try {
      static_cast<void>(parse_json(bytes));
    } catch (const Json::exception&) {  // its contract: readers turn it into an InputError
    }
  });
}

void recipe(const std::string& bytes) {
  refused_or_read([&] {
    const Recipe read = recipe_from_json(bytes, default_recipe("fmnist"), "fuzz");
    if (to_json(recipe_from_json(to_json(read), default_recipe("mnist"), "again")) != to_json(read))
      throw std::logic_error("a recipe changes when it is written and read");
  });
}

void network(const std::string& bytes) {
  refused_or_read([&] {
    const NetworkSpec read = network_spec_from_json(bytes);
    if (network_spec_from_json(to_json(read)) != read)
      throw std::logic_error("a network changes when it is written and read");
    static_cast<void>(total_cost(read));
    run_if_small(read);
  });
}

/// A compiled model whose header has the size and the checksum of what comes behind it, so that that is read.
std::string sealed(std::string bytes) {
  constexpr std::size_t kHeader = 32;
  if (bytes.size() < kHeader) return bytes;
  const std::uint64_t size = bytes.size() - kHeader;
  std::uint64_t hash = 0xCBF29CE484222325U;  // FNV-1a
  for (std::size_t i = kHeader; i < bytes.size(); ++i)
    hash = (hash ^ static_cast<unsigned char>(bytes[i])) * 0x100000001B3U;
  std::memcpy(bytes.data() + 16, &size, 8);
  std::memcpy(bytes.data() + 24, &hash, 8);
  return bytes;
}

void plan(const std::string& bytes) {
  for (const std::string& input : {bytes, sealed(bytes)}) {
    refused_or_read([&] {
      const runtime::Graph graph = runtime::graph_from_bytes(input, "fuzz");
      const std::string again = runtime::graph_to_bytes(graph);
      if (runtime::graph_to_bytes(runtime::graph_from_bytes(again, "again")) != again)
        throw std::logic_error("a plan changes when it is written and read");
      static_cast<void>(runtime::fold(graph));
      run_if_small(graph);
      compiled_info_from_json(graph.provenance, "fuzz");
    });
  }
}

/// A compiled model, with one allocation failing of those that reading, compiling and running it make: which,
/// the first two bytes say. What ran out of memory is tried again with enough of it, in the same workspace.
void memory(const std::string& bytes) {
  if (bytes.size() < 2) return;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const std::string file = sealed(bytes.substr(2));
  refused_or_read([&] {
    const runtime::Graph graph = runtime::graph_from_bytes(file, "fuzz");
    run_if_small(graph);
    run_short_of_memory(graph, byte(0) | byte(1) << 8);
  });
  const FailAllocations scope(byte(0) | byte(1) << 8, Shortage::one);
  try {
    refused_or_read([&] { static_cast<void>(runtime::graph_from_bytes(file, "fuzz")); });
  } catch (const std::bad_alloc&) {
  }
}

/// Lines of nvidia-smi and /proc/stat, and constants from the command line.
void power(const std::string& bytes) {
  refused_or_read([&] { energy::parse_row(bytes); });
  refused_or_read([&] { energy::parse_cpu_times(bytes); });
  refused_or_read([&] { energy::parse_constants(bytes); });
}

void onnx(const std::string& bytes) {
  refused_or_read([&] { run_if_small(import_onnx_bytes(bytes, "fuzz", {})); });
  refused_or_read([&] {
    run_if_small(import_onnx_bytes(bytes, "fuzz", {.output = "logits", .normalisation = {{0.5}, {1.0}}}));
  });
}

}  // namespace

const std::vector<FuzzTarget>& fuzz_targets() {
  static const std::vector<FuzzTarget> targets = [] {
    std::vector<FuzzTarget> list = {{"idx", idx},
                                    {"gzip", gzip},
                                    {"npz", npz},
                                    {"safetensors", safetensors},
                                    {"checkpoint", checkpoint},
                                    {"image", image},
                                    {"json", json},
                                    {"recipe", recipe},
                                    {"network", network},
                                    {"plan", plan},
                                    {"memory", memory},
                                    {"power", power}};
    if (onnx_description() != "not built in") list.push_back({"onnx", onnx});
    return list;
  }();
  return targets;
}

const FuzzTarget& fuzz_target(const std::string& name) {
  for (const FuzzTarget& target : fuzz_targets()) {
    if (target.name == name) return target;
  }
  throw std::out_of_range("no fuzz target " + name);
}

}  // namespace cbnet::testing
