#include "cbnet/run_folder.h"

#include "tensor/error.h"
#include "tensor/io.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"
#include "tests/support/without_root.h"

using namespace cbnet;

TEST_CASE("a folder that is not a run says how to make one") {
  CHECK_THROWS_SAYING(RunFolder("no-such-run").require_exists(), InputError, "`cbnet train");
  const testing::TempFolder folder;
  const RunFolder run(folder.path());
  CHECK_NOTHROW(run.require_exists());
  CHECK_THROWS_SAYING(run.read_cbnet(), InputError, "No such file");
  write_file_atomic(run.cbnet_file(), "{");
  CHECK_THROWS_SAYING(run.read_cbnet(), InputError, "JSON with autoencoder and classifier");
  write_file_atomic(run.cbnet_file(), R"({"autoencoder":"../a","classifier":"b"})");
  CHECK_THROWS_SAYING(run.read_cbnet(), InputError, "file names inside the run folder");
}

TEST_CASE("parts and log round-trip") {
  const testing::TempFolder folder;
  const RunFolder run(folder.path());
  run.write_cbnet({"a.safetensors", "c.safetensors"}, "fmnist");
  CHECK(run.read_cbnet().autoencoder == "a.safetensors");
  CHECK(run.read_cbnet().classifier == "c.safetensors");
  CHECK(run.read_log().empty());
  run.write_log({"{\"a\":1}", "{\"b\":2}"});
  CHECK(run.read_log() == std::vector<std::string>{"{\"a\":1}", "{\"b\":2}"});
  CHECK(run.model_file("lenet") == folder / "lenet.safetensors");
  CHECK(run.state_file("lenet") == folder / "lenet.state.safetensors");
}

TEST_CASE("a second trainer is kept out for as long as the first one holds the folder") {
  const testing::TempFolder folder;
  const RunFolder run(folder / "new");
  {
    const RunFolder::Lock held = run.lock();
    CHECK_THROWS_SAYING(run.lock(), InputError, "another process training into it");
  }
  CHECK_NOTHROW(run.lock());
  write_file_atomic(folder / "file", "");
  CHECK_THROWS_SAYING(RunFolder(folder / "file").lock(), InputError, "a folder to train into");
}

TEST_CASE("a folder that cannot be written to is refused before the training") {
  const testing::TempFolder folder;
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0555));
  for (const std::filesystem::path& out : {folder.path(), folder / "new"}) {
    const std::string said = testing::message_without_root([&] { static_cast<void>(RunFolder(out).lock()); });
    CHECK_MESSAGE(testing::contains(said, "a folder to train into; found Permission denied"), said);
  }
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
}
