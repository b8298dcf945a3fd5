#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace cbnet {

/// cbnet.json says this: CBNet is two model files, one after the other.
struct CbnetParts {
  std::string autoencoder;  // file names inside the run folder
  std::string classifier;
};

/// Training writes this folder and everything else reads it:
///   lenet.safetensors branchynet.safetensors autoencoder.safetensors classifier.safetensors
///   lenet.training branchynet.training autoencoder.training cbnet.json run.json log.jsonl
class RunFolder {
 public:
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path model_file(const std::string& model) const {
    return path_ / (model + ".safetensors");
  }
  /// This file has the state of an unfinished stage.
  std::filesystem::path state_file(const std::string& model) const {
    return path_ / (model + ".state.safetensors");
  }
  /// This file has the state of a finished stage, for a training of more epochs to go on from.
  std::filesystem::path finished_file(const std::string& model) const {
    return path_ / (model + ".training");
  }
  std::filesystem::path cbnet_file() const { return path_ / "cbnet.json"; }
  std::filesystem::path run_file() const { return path_ / "run.json"; }
  std::filesystem::path log_file() const { return path_ / "log.jsonl"; }

  /// The lock is held by who trains into the folder; it is open for as long as it lives.
  class Lock {
   public:
    explicit Lock(int descriptor) : descriptor_(descriptor) {}
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    ~Lock();

   private:
    int descriptor_;
  };
  /// Makes the folder where it is missing. Throws InputError when another process holds the lock.
  Lock lock() const;

  /// Throws InputError with a hint when this is not a run folder.
  void require_exists() const;

  CbnetParts read_cbnet() const;
  void write_cbnet(const CbnetParts& parts, const std::string& dataset) const;

  /// Writes one JSON text a line; the whole file at once, atomically.
  void write_log(const std::vector<std::string>& lines) const;
  /// Reads the lines of log.jsonl; none when there is no such file.
  std::vector<std::string> read_log() const;

 private:
  std::filesystem::path path_;
};

}  // namespace cbnet
