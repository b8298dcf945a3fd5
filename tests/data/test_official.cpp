#include "data/official.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "data/dataset.h"
#include "tests/data/files.h"
#include "tests/support/http_server.h"

using namespace cbnet::data;
using namespace cbnet::test;

namespace {

FoundFiles found_in(const std::string& folder) {
  Location location;
  location.data_dir = folder;
  location.cache_dir = "";
  location.system_dirs = {};
  location.use_environment = false;
  return find_dataset(DatasetId::fmnist, location);
}

}  // namespace

TEST_CASE("official: the tables are complete") {
  for (const DatasetId id : kAllDatasets) {
    for (const OfficialFile& file : official_files(id)) {
      CHECK(std::string(file.name).ends_with(id == DatasetId::cifar10 ? "binary.tar.gz" : "-ubyte.gz"));
      CHECK(std::string(file.gzip_md5).size() == 32);
      const std::size_t content = std::string(file.content_md5).size();
      CHECK((content == 32 || (content == 0 && (id == DatasetId::kmnist || id == DatasetId::cifar10))));
    }
    CHECK_FALSE(official_hosts(id).empty());
    for (const std::string& host : official_hosts(id)) {
      CHECK(host.starts_with("http"));
      CHECK(host.ends_with("/"));
    }
  }
}

TEST_CASE("official: verify tells what differs, and what cannot be told") {
  const TempFolder folder;
  put_dataset(folder / "set");
  const auto wrong = verify_dataset(DatasetId::fmnist, found_in(folder / "set"));
  REQUIRE(wrong.size() == 4);
  CHECK(wrong[0].verdict == Verdict::differs);
  CHECK(wrong[0].path == folder / "set/train-images-idx3-ubyte.gz");
  CHECK(wrong[0].note.find("expected md5 8d4fb7e6c68d591d4c3dfef9ec88bf0d of the gzip or f4a8712d") == 0);

  FoundFiles kmnist;
  kmnist.train_images = folder / "set/train-images-idx3-ubyte.gz";
  kmnist.train_labels = folder / "train-first7011-labels-idx1-ubyte.gz";
  put(kmnist.train_labels, gzip(idx_labels(7011)));
  kmnist.test_images = folder / "kmnist-test-imgs.npz";
  put_zip(kmnist.test_images, "arr_0.npy", "x");
  const auto unknown = verify_dataset(DatasetId::kmnist, kmnist);
  REQUIRE(unknown.size() == 3);  // the fourth is missing
  for (const VerifiedFile& file : unknown) CHECK(std::string(to_string(file.verdict)) == "unknown");
  CHECK(unknown[0].note.find("that of the content is not known") != std::string::npos);
  CHECK(unknown[1].note.find("a subset") == 0);
  CHECK(unknown[2].note.find("an .npz file") == 0);

  put(folder / "set/train-labels-idx1-ubyte.gz", gzip(idx_labels(10)).substr(0, 20));
  CHECK_INPUT_ERROR(verify_dataset(DatasetId::fmnist, found_in(folder / "set")),
                    "expected a whole gzip file");
}

TEST_CASE("official: Debian's Fashion-MNIST is packed anew, with the same content") {
  const std::string system = "/usr/share/datasets/fashion-mnist";
  if (!std::filesystem::exists(system)) {
    MESSAGE("skipped: the package dataset-fashion-mnist is not installed");
    return;
  }
  const auto files = verify_dataset(DatasetId::fmnist, found_in(system));
  REQUIRE(files.size() == 4);
  for (const VerifiedFile& file : files) {
    CAPTURE(file.path);
    CHECK(file.verdict == Verdict::repacked);
    CHECK(file.note.empty());
  }
  Location location;
  location.cache_dir = "";
  location.use_environment = false;
  location.allow_download = false;
  const Dataset set = load_dataset(DatasetId::fmnist, location);
  CHECK(set.train.size() == 60000);
  CHECK(set.test.size() == 10000);
  CHECK(set.train.labels.at({0}) == 9.0);
}

TEST_CASE("official: a dataset is only taken from a host when the checksums agree") {
  const TempFolder folder;
  std::map<std::string, std::string> content;
  for (const OfficialFile& file : official_files(DatasetId::mnist)) content[file.name] = "not the real file";
  HttpServer server(content, {});
  Location location;
  location.cache_dir = folder / "cache";
  location.system_dirs = {};
  location.use_environment = false;
  location.base_urls = {server.url()};
  const auto load = [&] { load_dataset(DatasetId::mnist, location); };
  CHECK_INPUT_ERROR(
      load(),
      "train-images-idx3-ubyte.gz: wrong bytes (expected md5 f68b3c2dcbeaaa9fbdd348bbdeb94873, found ");
  CHECK_INPUT_ERROR(load(), "; searched before: " + (folder / "cache (no such folder)").substr(0, 10));
  CHECK_FALSE(std::filesystem::exists(folder / "cache/mnist/train-images-idx3-ubyte.gz"));
  CHECK(server.requests()[0].path == "train-images-idx3-ubyte.gz");
}

TEST_CASE("official: files that are there with the right content are not fetched again") {
  const std::string system = "/usr/share/datasets/fashion-mnist";
  if (!std::filesystem::exists(system)) return;
  const TempFolder folder;
  std::filesystem::create_directory(folder / "fmnist");
  for (const char* name :
       {"train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"}) {
    std::filesystem::copy(system + "/" + name, folder / "fmnist");
  }
  HttpServer server({}, {.not_found = true});
  const auto fetch = [&] { download_dataset(DatasetId::fmnist, folder / "fmnist", {server.url()}, false); };
  CHECK_INPUT_ERROR(fetch(), "train-images-idx3-ubyte.gz: HTTP 404");
  CHECK(server.requests().size() == 1);
  std::filesystem::copy(system + "/train-images-idx3-ubyte.gz", folder / "fmnist");
  fetch();
  CHECK(server.requests().size() == 1);
}
