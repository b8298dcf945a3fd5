#include "data/idx.h"

#include <array>
#include <limits>
#include <string>

#include "data/gzip.h"

namespace cbnet::data {
namespace {

constexpr int kUnsignedByte = 0x08;
constexpr int kMaxRank = 4;

const char* type_name(int type) {
  switch (type) {
    case 0x09:
      return "signed bytes (09)";
    case 0x0b:
      return "16-bit integers (0b)";
    case 0x0c:
      return "32-bit integers (0c)";
    case 0x0d:
      return "32-bit floats (0d)";
    case 0x0e:
      return "64-bit floats (0e)";
    default:
      return nullptr;
  }
}

std::string hex(const unsigned char* bytes, std::size_t count) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) text += ' ';
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

// Every promise is held against this: the largest set here, MNIST's training images, is 47 MB.
constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 30;
// A gzip header may promise so much without being counted first.
constexpr std::uint64_t kBelievedBytes = std::uint64_t{64} << 20;

struct Header {
  Shape shape;
  std::uint64_t header_bytes = 0;
  std::uint64_t item_bytes = 1;   // of one entry along the first axis
  std::uint64_t total_bytes = 0;  // of all elements
};

Header read_header(ContentReader& reader, const std::string& path) {
  std::array<unsigned char, 4> magic{};
  const std::size_t got = reader.read(magic.data(), magic.size());
  if (got < magic.size()) {
    throw InputError(path, "an IDX file", concat("only ", got, " bytes"), "copy or download it again");
  }
  const int type = magic[2];
  const int rank = magic[3];
  const bool is_idx = magic[0] == 0 && magic[1] == 0 && (type == kUnsignedByte || type_name(type) != nullptr);
  if (!is_idx || rank < 1 || rank > kMaxRank) {
    throw InputError(path,
                     "an IDX file of unsigned bytes (magic 00 00 08 01 for labels, 00 00 08 03 for images)",
                     concat("magic ", hex(magic.data(), magic.size())),
                     magic[0] == 'P' && magic[1] == 'K' ? "an .npz archive is read from a file only" : "");
  }
  if (type != kUnsignedByte)
    throw InputError(path, "IDX elements that are unsigned bytes (08)", type_name(type));

  Header header;
  header.header_bytes = magic.size() * static_cast<std::size_t>(1 + rank);
  for (int axis = 0; axis < rank; ++axis) {
    std::array<unsigned char, 4> size{};
    if (reader.read(size.data(), size.size()) < size.size()) {
      throw InputError(path, concat(rank, " sizes in the IDX header"), "the end of the file",
                       "copy or download it again");
    }
    header.shape.push_back(std::int64_t{size[0]} << 24 | size[1] << 16 | size[2] << 8 | size[3]);
    if (header.shape.back() == 0) {
      throw InputError(path, "at least one element along each axis", concat("a size of 0 along axis ", axis));
    }
  }

  // Saturates instead of overflowing: the limit below is far smaller.
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  header.total_bytes = 1;
  for (std::size_t axis = 0; axis < header.shape.size(); ++axis) {
    const auto size = static_cast<std::uint64_t>(header.shape[axis]);
    header.total_bytes = header.total_bytes > kMost / size ? kMost : header.total_bytes * size;
    if (axis > 0) header.item_bytes = header.item_bytes > kMost / size ? kMost : header.item_bytes * size;
  }
  if (header.total_bytes > reader.content_limit_bytes()) {
    throw InputError(path, concat("the elements that its IDX header promises, ", to_string(header.shape)),
                     concat("a file of ", reader.file_size_bytes(), " bytes, which cannot hold that many"),
                     "the header is wrong or the file is truncated; copy or download it again");
  }
  return header;
}

[[noreturn]] void throw_short(const std::string& path, const Header& header, std::uint64_t missing_bytes) {
  throw InputError(path, concat("the elements that its IDX header promises, ", to_string(header.shape)),
                   concat("the end of the data ", missing_bytes, " bytes early"),
                   "copy or download it again");
}

/// Is called before memory is taken for `size_bytes` of the elements, the last of which is element `end`. Few
/// compressed bytes can promise much: beyond what is believed, what is there is counted.
void check_promise(const std::filesystem::path& path, ContentReader& reader, const Header& header,
                   std::uint64_t size_bytes, std::uint64_t end) {
  if (size_bytes > kMaxBytes) {
    throw InputError(path.string(), concat("at most ", kMaxBytes, " elements"),
                     concat("an IDX header that promises ", to_string(header.shape)));
  }
  if (!reader.compressed() || size_bytes <= kBelievedBytes) return;
  reader.rewind();
  const std::uint64_t got = reader.skip(header.header_bytes + end);
  if (got < header.header_bytes + end) throw_short(path.string(), header, header.header_bytes + end - got);
  reader.rewind();
  reader.skip(header.header_bytes);
}

void read_exactly(ContentReader& reader, Tensor& target, const std::string& path, const Header& header) {
  const auto requested = static_cast<std::size_t>(target.numel());
  const std::size_t got = reader.read(target.data<std::uint8_t>(), requested);
  if (got < requested) throw_short(path, header, requested - got);
}

}  // namespace

Tensor read_idx(const std::filesystem::path& path) {
  ContentReader reader(path);
  const Header header = read_header(reader, path.string());
  check_promise(path, reader, header, header.total_bytes, header.total_bytes);
  Tensor out = Tensor::empty(header.shape, DType::u8);
  read_exactly(reader, out, path.string(), header);
  // This makes the reader check the gzip trailer (its CRC and length).
  if (reader.skip(1) != 0) {
    throw InputError(path.string(),
                     concat("the end of the file behind its elements, ", to_string(header.shape)),
                     "more bytes");
  }
  return out;
}

Tensor read_idx_item(const std::filesystem::path& path, std::int64_t index) {
  ContentReader reader(path);
  const Header header = read_header(reader, path.string());
  if (index < 0 || index >= header.shape[0]) {
    throw InputError(path.string(), concat("an item from 0 to ", header.shape[0] - 1),
                     concat("item ", index));
  }
  check_promise(path, reader, header, header.item_bytes,
                (static_cast<std::uint64_t>(index) + 1) * header.item_bytes);
  Shape shape(header.shape.begin() + 1, header.shape.end());
  if (shape.empty()) shape = {1};
  // A file that ends within the skipped items ends before the requested one as well.
  reader.skip(static_cast<std::uint64_t>(index) * header.item_bytes);
  Tensor out = Tensor::empty(shape, DType::u8);
  read_exactly(reader, out, path.string(), header);
  return out;
}

}  // namespace cbnet::data
