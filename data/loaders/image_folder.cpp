#include "data/loaders/image_folder.h"

#include <algorithm>
#include <cctype>
#include <system_error>

#include "data/picture.h"
#include "tensor/error.h"

namespace cbnet::data {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxClasses = 256;

enum class Kind { picture, other_picture, other };

Kind kind_of(const fs::path& file) {
  std::string extension = file.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const char* known : {".png", ".jpg", ".jpeg", ".pgm", ".ppm"})
    if (extension == known) return Kind::picture;
  for (const char* known : {".gif", ".bmp", ".webp", ".tif", ".tiff", ".heic", ".avif"})
    if (extension == known) return Kind::other_picture;
  return Kind::other;
}

/// Returns them sorted; hidden ones left out.
std::vector<fs::path> entries(const fs::path& folder, bool folders) {
  std::vector<fs::path> out;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (at->is_directory(error) == folders && !at->path().filename().string().starts_with("."))
      out.push_back(at->path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

bool has_pictures(const fs::path& folder) {
  const std::vector<fs::path> files = entries(folder, false);
  return std::any_of(files.begin(), files.end(),
                     [](const fs::path& file) { return kind_of(file) != Kind::other; });
}

bool has_classes(const fs::path& folder) {
  const std::vector<fs::path> folders = entries(folder, true);
  return std::any_of(folders.begin(), folders.end(), has_pictures);
}

bool recognises(const fs::path& path) { return has_classes(path) || has_classes(path / "train"); }

std::vector<std::string> class_folders(const fs::path& root) {
  std::vector<std::string> out;
  for (const fs::path& folder : entries(root, true)) out.push_back(folder.filename().string());
  if (out.size() > kMaxClasses)
    throw InputError(root.string(), concat("at most ", kMaxClasses, " folders, one a class"),
                     concat(out.size()));
  return out;
}

/// This is what all pictures must be like; the first one says it.
struct Form {
  PictureOptions options;
  Shape shape;
  std::string first;

  Tensor read(const fs::path& file) {
    const std::string name = file.string();
    Tensor image = read_image(file, options.channels);
    if (options.height > 0) image = resized(image, options.height, options.width);
    if (shape.empty()) {
      shape = image.shape();
      first = name;
    }
    if (image.size(0) == 1 && shape[0] == 3) image = with_channels(image, 3);
    if (image.size(0) != shape[0])
      throw InputError(name, concat("a grey picture, as ", first), "one in colour",
                       "--channels 3 makes all colour, --channels 1 all grey");
    if (image.shape() != shape) {
      const std::string size = size_text(shape[1], shape[2]);
      throw InputError(name, concat("a picture of ", size, " pixels, as ", first),
                       size_text(image.size(1), image.size(2)),
                       concat("--resize ", size, " stretches all to one size"));
    }
    return image;
  }
};

Split read_split_of(const fs::path& root, const std::vector<std::string>& classes, Form& form) {
  std::vector<fs::path> files;
  std::vector<std::uint8_t> labels;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    for (const fs::path& file : entries(root / classes[c], false)) {
      const Kind kind = kind_of(file);
      if (kind == Kind::other_picture)
        throw InputError(file.string(), "a PNG, JPEG, PGM or PPM picture", "one of another kind",
                         "convert it to PNG");
      if (kind == Kind::other) continue;
      files.push_back(file);
      labels.push_back(static_cast<std::uint8_t>(c));
    }
    if (fs::exists(root / classes[c]) && (labels.empty() || labels.back() != c))
      throw InputError((root / classes[c]).string(), "pictures of the class", "none",
                       "remove the folder, or fill it");
  }
  Split out;
  const auto n = static_cast<std::int64_t>(files.size());
  for (std::int64_t i = 0; i < n; ++i) {
    const Tensor image = form.read(files[static_cast<std::size_t>(i)]);
    if (i == 0) out.images = Tensor::empty({n, form.shape[0], form.shape[1], form.shape[2]}, DType::u8);
    out.images.select(0, i).copy_from(image);
  }
  if (n > 0) out.labels = Tensor::from(labels, {n});
  return out;
}

Dataset load(const fs::path& path, const PictureOptions& options) {
  const bool split = has_classes(path / "train");
  const fs::path train = split ? path / "train" : path, test = path / "test";
  Dataset out;
  out.files = {train.string()};
  out.classes = class_folders(train);
  Form form{options, {}, ""};
  out.train = read_split_of(train, out.classes, form);
  if (!split || !has_classes(test)) return out;
  for (const std::string& name : class_folders(test)) {
    if (!std::binary_search(out.classes.begin(), out.classes.end(), name))
      throw InputError((test / name).string(), "a class that train has", "another");
  }
  out.test = read_split_of(test, out.classes, form);
  out.files.push_back(test.string());
  return out;
}

}  // namespace

Loader image_folder_loader() {
  return {"pictures", "a folder with one subfolder of pictures a class (or train/ and test/ with such)",
          recognises, load};
}

}  // namespace cbnet::data
