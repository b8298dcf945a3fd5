#include "runtime/plan_file.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "tensor/error.h"
#include "tensor/io.h"

namespace cbnet::runtime {
namespace {

static_assert(std::endian::native == std::endian::little,
              "plans are read and written as the memory has them");

constexpr char kMagic[9] = "cbnetpln";
constexpr std::uint32_t kVersion = 3, kOldest = 2;
constexpr std::size_t kHeaderBytes = 32;
constexpr std::uint64_t kMaxAxes = 16;

/// FNV-1a (Fowler, Noll and Vo) of 64 bits finds accidents, not forgeries.
std::uint64_t checksum(const char* bytes, std::size_t size) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (std::size_t i = 0; i < size; ++i)
    hash = (hash ^ static_cast<unsigned char>(bytes[i])) * 0x100000001B3U;
  return hash;
}

template <class T>
concept Number = std::is_arithmetic_v<T> || std::is_enum_v<T>;

class Writer {
 public:
  template <Number T>
  void number(const T& value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void number(bool value) { bytes_ += static_cast<char>(value); }
  void number(Kind value) { bytes_ += static_cast<char>(value); }
  void number(Precision value) { bytes_ += static_cast<char>(value); }
  void number(Pointwise value) { text(to_string(value)); }
  template <Number T>
  void numbers(const std::vector<T>& values) {
    number(std::uint64_t{values.size()});
    bytes_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  }
  void text(const std::string& value) {
    number(std::uint64_t{value.size()});
    bytes_ += value;
  }
  void tensor(const Tensor& value) {
    number(value.defined());
    if (!value.defined()) return;
    numbers(value.shape());
    numbers(value.to_vector<float>());
  }
  /// Writes weights that are scales times -127 … 127 as bytes.
  void scaled(const Tensor& value, const std::vector<float>& scales) {
    if (scales.empty()) return tensor(value);
    const std::int64_t each = value.numel() / value.size(0);
    std::vector<std::int8_t> steps;
    for (std::int64_t i = 0; i < value.numel(); ++i)
      steps.push_back(static_cast<std::int8_t>(
          std::nearbyint(value.data<float>()[i] / scales[static_cast<std::size_t>(i / each)])));
    numbers(value.shape());
    numbers(steps);
  }
  template <class T, class Each>
  void optional(const std::optional<T>& value, Each each) {
    number(value.has_value());
    if (value) each(*value);
  }
  template <class T, class Each>
  void list(const std::vector<T>& values, Each each) {
    number(std::uint64_t{values.size()});
    for (const T& value : values) each(value);
  }

  std::uint32_t version() const { return kVersion; }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

class Reader {
 public:
  Reader(const char* bytes, std::size_t size, std::uint32_t version, const std::string& source)
      : at_(bytes), left_(size), version_(version), source_(source) {}

  template <Number T>
  void number(T& value) {
    std::memcpy(&value, take(sizeof value), sizeof value);
  }
  void number(bool& value) { choice(value, 1); }
  void number(Kind& value) { choice(value, static_cast<std::uint8_t>(std::size(kKinds) - 1)); }
  void number(Precision& value) { choice(value, static_cast<std::uint8_t>(Precision::int8)); }
  void number(Pointwise& value) {
    std::string name;
    text(name);
    const auto found = parse_pointwise(name);
    if (!found) fail("the name of a pointwise function", concat("'", name, "'"));
    value = *found;
  }
  template <Number T>
  void numbers(std::vector<T>& values) {
    const std::uint64_t count = length(sizeof(T));
    values.resize(count);
    if (count > 0) std::memcpy(values.data(), take(count * sizeof(T)), count * sizeof(T));
  }
  void text(std::string& value) {
    const std::uint64_t count = length(1);
    value.assign(take(count), count);
  }
  void tensor(Tensor& value) {
    bool defined = false;
    number(defined);
    if (!defined) return;
    Shape shape;
    numbers(shape);
    std::vector<float> values;
    numbers(values);
    if (shape.size() > kMaxAxes) fail("a tensor of at most 16 axes", concat(shape.size()));
    value = Tensor::from(values, shape);
  }
  void scaled(Tensor& value, const std::vector<float>& scales) {
    if (scales.empty()) return tensor(value);
    Shape shape;
    numbers(shape);
    std::vector<std::int8_t> steps;
    numbers(steps);
    if (shape.empty() || shape.size() > kMaxAxes || steps.size() % scales.size() != 0)
      fail(concat("weights of ", scales.size(), " scales"),
           concat(steps.size(), " in ", shape.size(), " axes"));
    const std::size_t each = std::max<std::size_t>(steps.size() / scales.size(), 1);
    std::vector<float> values;
    for (std::size_t i = 0; i < steps.size(); ++i) values.push_back(scales[i / each] * steps[i]);
    value = Tensor::from(values, shape);
  }
  template <class T, class Each>
  void optional(std::optional<T>& value, Each each) {
    bool has_value = false;
    number(has_value);
    if (has_value) each(value.emplace());
  }
  template <class T, class Each>
  void list(std::vector<T>& values, Each each) {
    // Every element takes at least a byte, so a length cannot promise more than the file holds.
    const std::uint64_t count = length(1);
    for (std::uint64_t i = 0; i < count; ++i) each(values.emplace_back());
  }

  std::size_t left() const { return left_; }
  std::uint32_t version() const { return version_; }

 private:
  /// Reads or writes one of a few values, as a byte.
  template <class T>
  void choice(T& value, std::uint8_t max) {
    std::uint8_t byte = 0;
    number(byte);
    if (byte > max) fail(concat("a value of at most ", int{max}), concat(int{byte}));
    value = static_cast<T>(byte);
  }
  std::uint64_t length(std::size_t element_bytes) {
    std::uint64_t count = 0;
    number(count);
    if (count > left_ / element_bytes)
      fail(concat("a list that fits into the ", left_, " bytes left"), concat(count, " elements"));
    return count;
  }
  const char* take(std::size_t size) {
    if (size > left_) fail(concat(size, " more bytes"), concat(left_));
    const char* from = at_;
    at_ += size;
    left_ -= size;
    return from;
  }
  [[noreturn]] void fail(const std::string& expected, const std::string& found) const {
    throw InputError(source_, expected, found, "the plan is damaged; compile it anew");
  }

  const char* at_;
  std::size_t left_;
  std::uint32_t version_;
  const std::string& source_;
};

// The fields stand once for both ways. Graph_ and Node_ are const for a writer.

template <class Stream, class Params>
void put_params(Stream& stream, Params& params) {
  stream.number(params.scale);
  stream.number(params.zero_point);
}

template <class Stream, class Dense>
void put_dense(Stream& stream, Dense& dense) {
  stream.number(dense.in);
  stream.number(dense.out);
  stream.number(dense.precision);
  stream.numbers(dense.fp32);
  stream.numbers(dense.bf16);
  stream.numbers(dense.int8);
  stream.numbers(dense.scales);
  stream.numbers(dense.bias);
  stream.number(dense.mask.block_out);
  stream.number(dense.mask.block_in);
  stream.numbers(dense.mask.kept);
}

template <class Stream, class Window>
void put_window(Stream& stream, Window& window) {
  auto& [kernel_size, stride, padding, dilation, ceil_mode] = window;
  for (auto* pair : {&kernel_size, &stride, &dilation}) {
    stream.number(pair->h);
    stream.number(pair->w);
  }
  for (auto* side : {&padding.top, &padding.left, &padding.bottom, &padding.right}) stream.number(*side);
  stream.number(ceil_mode);
}

template <class Stream, class AnyNode>
void put_node(Stream& stream, AnyNode& node) {
  stream.number(node.kind);
  stream.text(node.name);
  stream.numbers(node.inputs);
  stream.numbers(node.shape);
  put_window(stream, node.window);
  stream.number(node.groups);
  stream.number(node.count_include_pad);
  stream.number(node.value);
  stream.number(node.function);
  stream.number(node.axis);
  stream.numbers(node.axes);
  if (stream.version() > 2) stream.numbers(node.scales);
  stream.scaled(node.weight, node.scales);
  stream.tensor(node.bias);
  put_dense(stream, node.dense);
  put_params(stream, node.input);
  if (stream.version() > 2) stream.optional(node.range, [&](auto& range) { put_params(stream, range); });
  if (node.kind != Kind::slice) return;  // Nothing else has them.
  stream.numbers(node.starts);
  stream.numbers(node.steps);
}

template <class Stream, class AnyGraph>
void put_graph(Stream& stream, AnyGraph& graph) {
  stream.text(graph.name);
  stream.text(graph.provenance);
  stream.numbers(graph.input);
  stream.number(graph.classifies);
  stream.list(graph.exits, [&](auto& exit) {
    stream.number(exit.logits);
    stream.number(exit.threshold);
  });
  stream.list(graph.nodes, [&](auto& node) { put_node(stream, node); });
}

struct Header {
  char magic[8];
  std::uint32_t version, zero;
  std::uint64_t size, checksum;
};
static_assert(sizeof(Header) == kHeaderBytes);

}  // namespace

std::string graph_to_bytes(const Graph& graph) {
  check(graph);
  Writer writer;
  put_graph(writer, graph);
  Header header{};
  std::memcpy(header.magic, kMagic, sizeof header.magic);
  header.version = kVersion;
  header.size = writer.bytes().size();
  header.checksum = checksum(writer.bytes().data(), writer.bytes().size());
  return std::string(reinterpret_cast<const char*>(&header), sizeof header) + writer.bytes();
}

Graph graph_from_bytes(const std::string& bytes, const std::string& source) {
  const std::string compile = "`cbnet compile` writes plans";
  if (bytes.size() < kHeaderBytes || std::memcmp(bytes.data(), kMagic, 8) != 0)
    throw InputError(source, "a plan that begins with 'cbnetpln'",
                     concat("something else, ", bytes.size(), " bytes"), compile);
  Header header{};
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.version < kOldest || header.version > kVersion || header.zero != 0)
    throw InputError(
        source, concat("a plan of version ", kVersion), concat("version ", header.version),
        header.version > kVersion ? "a newer cbnet wrote it; update this one, or compile it anew" : compile);
  const char* payload = bytes.data() + kHeaderBytes;
  const std::size_t size = bytes.size() - kHeaderBytes;
  if (header.size != size)
    throw InputError(source, concat(header.size, " bytes behind the header"), concat(size),
                     "the file is truncated or has been added to; compile it anew");
  if (const std::uint64_t found = checksum(payload, size); found != header.checksum)
    throw InputError(source, concat("the checksum ", header.checksum), concat(found),
                     "the plan is damaged; compile it anew");
  try {
    Reader reader(payload, size, header.version, source);
    Graph graph;
    put_graph(reader, graph);
    require(reader.left() == 0, "graph", reader.left(), " bytes stand behind it");
    check(graph);
    return graph;
  } catch (const std::invalid_argument& error) {
    throw InputError(source, "a network", error.what(), compile);
  }
}

void save_graph(const std::filesystem::path& path, const Graph& graph) {
  write_file_atomic(path, graph_to_bytes(graph));
}

Graph load_graph(const std::filesystem::path& path) {
  return graph_from_bytes(read_file(path), path.string());
}

}  // namespace cbnet::runtime
