#include "data/loader.h"

#include "tensor/error.h"

namespace cbnet::data {

#define LOADER(name) Loader name##_loader();
#include "data/loaders.def"
#undef LOADER

const std::vector<Loader>& loaders() {
  static const std::vector<Loader> all{
#define LOADER(name) name##_loader(),
#include "data/loaders.def"
#undef LOADER
  };
  return all;
}

const Loader& loader_for(const std::filesystem::path& path) {
  std::string understood;
  for (const Loader& loader : loaders()) {
    if (loader.recognises(path)) return loader;
    understood += concat(understood.empty() ? "" : "; or ", loader.understands);
  }
  std::error_code error;
  const bool there = std::filesystem::exists(path, error);
  const bool folder = std::filesystem::is_directory(path, error);
  throw InputError(path.string(), understood,
                   folder  ? concat("a folder with ", list_content(path.string()))
                   : there ? std::string("a file of another kind")
                           : std::string("no such file or folder"),
                   there ? "a folder of pictures has one subfolder a class" : "check --data");
}

}  // namespace cbnet::data
