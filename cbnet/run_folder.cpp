#include "cbnet/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <sstream>

#include "models/json.h"
#include "tensor/error.h"
#include "tensor/io.h"

namespace cbnet {

RunFolder::Lock::~Lock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

RunFolder::Lock RunFolder::lock() const {
  const auto refuse = [&](const std::string& found) {
    throw InputError(path_.string(), "a folder to train into", found, "choose another --out");
  };
  std::error_code error;
  std::filesystem::create_directories(path_, error);
  if (error) refuse(error.message());
  // A file that cannot be written is found before the first epoch, not after it.
  if (::access(path_.c_str(), W_OK | X_OK) != 0) refuse(std::strerror(errno));
  const int descriptor = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) refuse(std::strerror(errno));
  // Some network file systems lock no folders: there, nothing keeps two trainings apart.
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(descriptor);
    throw InputError(path_.string(), "a run folder of this process", "another process training into it",
                     "wait for it, or choose another --out");
  }
  return Lock(descriptor);
}

void RunFolder::require_exists() const {
  if (!std::filesystem::is_directory(path_)) {
    throw InputError(path_.string(), "a run folder", "no such folder",
                     concat("`cbnet train --dataset fmnist --out ", path_.string(), "` makes one"));
  }
}

CbnetParts RunFolder::read_cbnet() const {
  try {
    const Json json = parse_json(read_file(cbnet_file(), 1 << 20));
    CbnetParts parts{json.at("autoencoder").get<std::string>(), json.at("classifier").get<std::string>()};
    for (const std::string& name : {parts.autoencoder, parts.classifier}) {
      if (std::filesystem::path(name).filename() != name) {
        throw InputError(cbnet_file().string(), "file names inside the run folder", name);
      }
    }
    return parts;
  } catch (const Json::exception& error) {
    throw InputError(cbnet_file().string(), "JSON with autoencoder and classifier", error.what());
  }
}

void RunFolder::write_cbnet(const CbnetParts& parts, const std::string& dataset) const {
  const Json json{{"model", "cbnet"},
                  {"dataset", dataset},
                  {"autoencoder", parts.autoencoder},
                  {"classifier", parts.classifier}};
  write_file_atomic(cbnet_file(), json.dump(2) + "\n");
}

void RunFolder::write_log(const std::vector<std::string>& lines) const {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  write_file_atomic(log_file(), text);
}

std::vector<std::string> RunFolder::read_log() const {
  std::vector<std::string> lines;
  if (!std::filesystem::exists(log_file())) return lines;
  std::istringstream text(read_file(log_file()));
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

}  // namespace cbnet
