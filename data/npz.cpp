#include "data/npz.h"

#include <zip.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <limits>
#include <memory>
#include <string_view>
#include <system_error>
#include <vector>

#include "data/gzip.h"

namespace cbnet::data {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are copied as they lie in the file");

constexpr std::size_t kMaxHeaderBytes = std::size_t{1} << 16;
constexpr std::size_t kChunkElements = std::size_t{1} << 15;
constexpr std::size_t kMaxRank = 4;
// Every promise is held against this: the largest set here, MNIST's training images, is 47 MB.
constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 30;
// The directory of an archive may promise so much of a deflated member without being counted first.
constexpr std::uint64_t kBelievedBytes = std::uint64_t{64} << 20;

struct CloseZip {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct CloseMember {
  void operator()(zip_file_t* member) const { zip_fclose(member); }
};

/// This is a member of an archive, open for reading.
struct Member {
  std::string path;  // "archive[member]", for messages
  std::unique_ptr<zip_t, CloseZip> archive;
  std::unique_ptr<zip_file_t, CloseMember> file;
  std::uint64_t size_bytes = 0;

  void read(void* target, std::size_t requested) const {
    auto* bytes = static_cast<char*>(target);
    while (requested > 0) {
      const zip_int64_t got = zip_fread(file.get(), bytes, requested);
      if (got < 0) {
        throw InputError(path, "a readable member", concat("damaged data: ", zip_file_strerror(file.get())),
                         "copy or download it again");
      }
      if (got == 0) throw InputError(path, concat(size_bytes, " bytes"), "the end of the member (truncated)");
      bytes += got;
      requested -= static_cast<std::size_t>(got);
    }
  }

  /// Reads all of it and keeps nothing: whether the promised bytes are there.
  void count() const {
    std::vector<char> chunk(kChunkElements);
    for (std::uint64_t left = size_bytes; left > 0;) {
      const auto requested = static_cast<std::size_t>(std::min<std::uint64_t>(left, chunk.size()));
      read(chunk.data(), requested);
      left -= requested;
    }
  }
};

std::unique_ptr<zip_t, CloseZip> open_archive(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    throw InputError(path.string(), "a file", "no such file");
  int code = 0;
  std::unique_ptr<zip_t, CloseZip> archive(zip_open(path.c_str(), ZIP_RDONLY, &code));
  if (!archive) {
    zip_error_t reason;
    zip_error_init_with_code(&reason, code);
    const std::string text = zip_error_strerror(&reason);
    zip_error_fini(&reason);
    throw InputError(path.string(), "an .npz archive (zip)", text, "copy or download it again");
  }
  return archive;
}

Member open_member(const std::filesystem::path& path, const std::string& name) {
  std::error_code error;
  Member member;
  member.path = path.string();
  member.archive = open_archive(path);
  zip_stat_t entry;
  const std::string file_name = name + ".npy";
  if (zip_stat(member.archive.get(), file_name.c_str(), 0, &entry) != 0) {
    std::string held;
    const zip_int64_t count = zip_get_num_entries(member.archive.get(), 0);
    for (zip_int64_t i = 0; i < std::min<zip_int64_t>(count, 4); ++i) {
      held += concat(i > 0 ? ", " : "", zip_get_name(member.archive.get(), static_cast<zip_uint64_t>(i), 0));
    }
    throw InputError(member.path, concat("a member named ", file_name),
                     held.empty() ? "an empty archive" : held);
  }
  member.path += concat("[", file_name, "]");
  // Other methods inflate more than deflate does, or ask for dictionaries of gigabytes.
  if (entry.comp_method != ZIP_CM_STORE && entry.comp_method != ZIP_CM_DEFLATE) {
    throw InputError(member.path, "a stored or deflated member",
                     concat("compression method ", entry.comp_method),
                     "write it again with numpy.savez or numpy.savez_compressed");
  }
  if (entry.encryption_method != ZIP_EM_NONE)
    throw InputError(member.path, "a plain member", "an encrypted one");
  const std::uintmax_t archive_bytes = std::filesystem::file_size(path, error);
  const std::uint64_t held_bytes = std::min<std::uint64_t>(entry.comp_size, error ? 0 : archive_bytes);
  member.size_bytes = entry.size;
  if (entry.size > held_bytes * (entry.comp_method == ZIP_CM_STORE ? 1 : kMaxInflation)) {
    throw InputError(member.path, concat("the ", entry.size, " bytes that the archive promises"),
                     concat(held_bytes, " compressed bytes, which cannot hold that many"));
  }
  if (entry.size > kMaxBytes)
    throw InputError(member.path, concat("at most ", kMaxBytes, " bytes"), concat(entry.size));
  const auto open = [&] {
    member.file.reset(zip_fopen_index(member.archive.get(), entry.index, 0));
    if (!member.file) {
      throw InputError(member.path, "a readable member", zip_strerror(member.archive.get()),
                       "copy or download it again");
    }
  };
  open();
  if (entry.comp_method != ZIP_CM_STORE && entry.size > kBelievedBytes) {
    member.count();
    open();
  }
  return member;
}

struct NpyHeader {
  std::string descr;
  bool fortran_order = false;
  Shape shape;
  std::uint64_t header_bytes = 0;
};

/// Returns the text behind "'key':" in the header's Python dictionary.
std::string_view value_of(std::string_view header, std::string_view key, const std::string& path) {
  for (const char quote : {'\'', '"'}) {
    const std::string quoted = concat(quote, key, quote);
    std::size_t at = header.find(quoted);
    if (at == std::string_view::npos) continue;
    at = header.find_first_not_of(' ', at + quoted.size());
    if (at == std::string_view::npos || header[at] != ':') continue;
    at = header.find_first_not_of(' ', at + 1);
    if (at != std::string_view::npos) return header.substr(at);
  }
  throw InputError(path, concat("a key '", key, "' in the .npy header"), "none");
}

Shape parse_shape(std::string_view text, const std::string& path) {
  const auto refuse = [&] {
    return InputError(path, concat("a shape of 1 to ", kMaxRank, " positive sizes"),
                      std::string(text.substr(0, std::min<std::size_t>(text.find(')') + 1, 60))));
  };
  if (text.empty() || text[0] != '(') throw refuse();
  Shape shape;
  std::size_t i = 1;
  while (i < text.size() && text[i] != ')') {
    if (text[i] == ' ' || text[i] == ',') {
      ++i;
      continue;
    }
    std::int64_t size = 0;
    const std::size_t first = i;
    for (; i < text.size() && std::isdigit(static_cast<unsigned char>(text[i])) != 0; ++i) {
      if (size > std::numeric_limits<std::int64_t>::max() / 16) throw refuse();
      size = size * 10 + (text[i] - '0');
    }
    if (i == first || size == 0 || shape.size() == kMaxRank) throw refuse();
    shape.push_back(size);
  }
  if (i == text.size() || shape.empty()) throw refuse();
  return shape;
}

NpyHeader read_header(const Member& member) {
  constexpr std::string_view kMagic("\x93NUMPY", 6);
  std::array<unsigned char, 12> start{};
  const std::size_t preamble = 10;
  if (member.size_bytes < preamble)
    throw InputError(member.path, "a .npy array", concat(member.size_bytes, " bytes"));
  member.read(start.data(), preamble);
  if (std::memcmp(start.data(), kMagic.data(), kMagic.size()) != 0) {
    throw InputError(member.path, "a .npy array (magic \\x93NUMPY)", "other bytes");
  }
  const int version = start[6];
  if (version != 1 && version != 2) {
    throw InputError(member.path, ".npy format 1 or 2", concat("format ", version, ".", int{start[7]}));
  }
  NpyHeader header;
  std::size_t text_bytes = start[8] | start[9] << 8;
  header.header_bytes = preamble + text_bytes;
  if (version == 2) {
    member.read(start.data() + preamble, 2);
    text_bytes |= static_cast<std::size_t>(start[10]) << 16 | static_cast<std::size_t>(start[11]) << 24;
    header.header_bytes = preamble + 2 + text_bytes;
  }
  if (text_bytes > kMaxHeaderBytes) {
    throw InputError(member.path, concat("a .npy header of at most ", kMaxHeaderBytes, " bytes"),
                     concat(text_bytes, " bytes"));
  }
  std::string text(text_bytes, '\0');
  member.read(text.data(), text.size());

  const std::string_view descr = value_of(text, "descr", member.path);
  const std::size_t end = descr.find(descr[0], 1);
  header.descr = std::string(descr.substr(0, 60));
  if ((descr[0] == '\'' || descr[0] == '"') && end != std::string_view::npos)
    header.descr = descr.substr(1, end - 1);
  header.fortran_order = value_of(text, "fortran_order", member.path).starts_with("True");
  header.shape = parse_shape(value_of(text, "shape", member.path), member.path);
  return header;
}

template <class T>
std::uint8_t to_byte(T value, const std::string& path, std::int64_t position) {
  const auto number = static_cast<double>(value);
  if (!(number >= 0.0 && number <= 255.0)) {
    throw InputError(path, "values from 0 to 255", concat(number, " at position ", position));
  }
  if (number != std::floor(number)) {
    throw InputError(path, "whole numbers from 0 to 255", concat(number, " at position ", position),
                     "multiply values in [0,1] by 255 and save them as uint8");
  }
  return static_cast<std::uint8_t>(number);
}

template <class T>
Tensor read_elements(const Member& member, const NpyHeader& header) {
  // The member's size was held against the compressed size before; the shape must agree with it, and
  // by division, since a hostile product would overflow.
  std::uint64_t left = member.size_bytes - std::min(member.size_bytes, header.header_bytes);
  const std::uint64_t data_bytes = left;
  bool fits = left % sizeof(T) == 0;
  left /= sizeof(T);
  for (const std::int64_t size : header.shape) {
    fits = fits && left % static_cast<std::uint64_t>(size) == 0 && left > 0;
    left /= static_cast<std::uint64_t>(size);
  }
  if (!fits || left != 1) {
    throw InputError(member.path, concat("elements for its shape ", to_string(header.shape)),
                     concat(data_bytes, " bytes of type ", header.descr));
  }
  Tensor out = Tensor::empty(header.shape, DType::u8);
  auto* target = out.data<std::uint8_t>();
  std::vector<T> chunk(std::min<std::size_t>(kChunkElements, static_cast<std::size_t>(out.numel())));
  for (std::int64_t done = 0; done < out.numel();) {
    const auto count = std::min<std::int64_t>(static_cast<std::int64_t>(chunk.size()), out.numel() - done);
    member.read(chunk.data(), static_cast<std::size_t>(count) * sizeof(T));
    for (std::int64_t i = 0; i < count; ++i) {
      target[done + i] = to_byte(chunk[static_cast<std::size_t>(i)], member.path, done + i);
    }
    done += count;
  }
  // libzip compares the CRC when it meets the end.
  char extra = 0;
  if (zip_fread(member.file.get(), &extra, 1) != 0) {
    throw InputError(member.path, "a readable member", "damaged data: the checksum differs",
                     "copy or download it again");
  }
  return out;
}

}  // namespace

bool is_zip(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;
  std::ifstream file(path, std::ios::binary);
  std::array<char, 2> magic{};
  file.read(magic.data(), magic.size());
  return file && magic[0] == 'P' && magic[1] == 'K';
}

std::vector<std::string> npz_members(const std::filesystem::path& path) {
  const auto archive = open_archive(path);
  std::vector<std::string> out;
  for (zip_int64_t i = 0; i < zip_get_num_entries(archive.get(), 0); ++i) {
    const char* name = zip_get_name(archive.get(), static_cast<zip_uint64_t>(i), 0);
    if (name == nullptr) continue;
    out.emplace_back(name);
    if (out.back().ends_with(".npy")) out.back().resize(out.back().size() - 4);
  }
  return out;
}

Tensor read_npz(const std::filesystem::path& path, const std::string& member_name) {
  const Member member = open_member(path, member_name);
  const NpyHeader header = read_header(member);
  if (header.fortran_order) {
    throw InputError(member.path, "C order", "Fortran order", "save numpy.ascontiguousarray(array)");
  }
  if (header.descr == "|u1" || header.descr == "<u1" || header.descr == "u1") {
    return read_elements<std::uint8_t>(member, header);
  }
  if (header.descr == "<i4") return read_elements<std::int32_t>(member, header);
  if (header.descr == "<i8") return read_elements<std::int64_t>(member, header);
  if (header.descr == "<f4") return read_elements<float>(member, header);
  if (header.descr == "<f8") return read_elements<double>(member, header);
  throw InputError(member.path, "elements of type u1, i4, i8, f4 or f8 (little endian)",
                   concat("type ", header.descr), "save array.astype('uint8')");
}

}  // namespace cbnet::data
