#include "data/download.h"

#include <doctest/doctest.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "data/checksum.h"
#include "tests/data/files.h"
#include "tests/support/http_server.h"

using cbnet::read_file;
using cbnet::data::download;
using cbnet::data::DownloadOptions;
using cbnet::data::Md5;
using namespace cbnet::test;

namespace {

std::string md5_of(const std::string& bytes) {
  Md5 sum;
  sum.update(bytes.data(), bytes.size());
  return sum.finish();
}

/// 300 kB in which no two stretches are alike.
const std::string& content() {
  static const std::string bytes = [] {
    std::string out;
    for (int i = 0; out.size() < 300000; ++i) out += std::to_string(i * i) + ",";
    return out;
  }();
  return bytes;
}

struct Scene {
  TempFolder folder;
  std::string target = folder / "cache/file.gz";
  std::string md5 = md5_of(content());

  std::string part() const { return target + "." + md5 + ".part"; }
  bool exists() const { return std::filesystem::exists(target); }
  bool part_exists() const { return std::filesystem::exists(part()); }
};

const std::string kNobody(32, '0');

}  // namespace

TEST_CASE("download: wrong use, and no curl") {
  const Scene scene;
  CHECK_INVALID(download({}, scene.target, scene.md5),
                "[download] a URL, an MD5 and at least one attempt are needed; got 0 URLs");
  CHECK_INVALID(download({"http://127.0.0.1:1/"}, scene.target, ""), "md5 ''");
  DownloadOptions options;
  options.curl = "no-such-program";
  CHECK_INPUT_ERROR(
      download({"http://127.0.0.1:1/file.gz"}, scene.target, scene.md5, options),
      "no-such-program: expected a program that starts; found No such file or directory; hint: install curl");
  CHECK_FALSE(scene.part_exists());
}

TEST_CASE("download: the whole file, into a folder that did not exist") {
  const Scene scene;
  HttpServer server({{"file.gz", content()}}, {});
  download({server.url() + "file.gz"}, scene.target, scene.md5);
  CHECK(read_file(scene.target) == content());
  CHECK_FALSE(scene.part_exists());
  CHECK(server.requests().size() == 1);
  CHECK(server.requests()[0].range.empty());
  download({server.url() + "file.gz"}, scene.target, scene.md5);  // already there
  CHECK(server.requests().size() == 1);
}

TEST_CASE("download: another file under the final name is left alone") {
  const Scene scene;
  put(scene.target, "mine");
  CHECK_INPUT_ERROR(
      download({"http://127.0.0.1:1/"}, scene.target, kNobody),
      "file.gz: expected md5 " + kNobody + "; found md5 " + md5_of("mine") + "; hint: move or delete");
  CHECK(read_file(scene.target) == "mine");
}

TEST_CASE("download: a connection that is cut is continued where it stopped") {
  const Scene scene;
  HttpServer server({{"file.gz", content()}}, {.cuts = 2, .cut_after = 100000});
  download({server.url() + "file.gz"}, scene.target, scene.md5);
  CHECK(read_file(scene.target) == content());
  REQUIRE(server.requests().size() == 3);
  CHECK(server.requests()[1].range == "bytes=100000-");
  CHECK(server.requests()[2].range == "bytes=200000-");
}

TEST_CASE("download: cut for good, the part stays for the next run, and never under the final name") {
  const Scene scene;
  {
    HttpServer server({{"file.gz", content()}}, {.cuts = 99, .cut_after = 1000});
    CHECK_INPUT_ERROR(download({server.url() + "file.gz"}, scene.target, scene.md5),
                      "bytes remaining to read; hint: run it again to continue");
    CHECK(server.requests().size() == 4);
  }
  CHECK_FALSE(scene.exists());
  CHECK(read_file(scene.part()) == content().substr(0, 4000));
  HttpServer server({{"file.gz", content()}}, {});
  download({server.url() + "file.gz"}, scene.target, scene.md5);
  CHECK(server.requests()[0].range == "bytes=4000-");
  CHECK(read_file(scene.target) == content());
}

TEST_CASE("download: a server that ignores ranges is asked for the whole again") {
  const Scene scene;
  put(scene.part(), content().substr(0, 5000));
  HttpServer server({{"file.gz", content()}}, {.ranges = false});
  download({server.url() + "file.gz"}, scene.target, scene.md5);
  CHECK(read_file(scene.target) == content());
  REQUIRE(server.requests().size() == 2);
  CHECK(server.requests()[0].range == "bytes=5000-");
  CHECK(server.requests()[1].range.empty());
}

TEST_CASE("download: a part of something else is thrown away") {
  const Scene scene;
  const std::vector<std::string> parts{std::string(5000, 'x'),               // another file's beginning
                                       content() + "too long",               // beyond the end: 416
                                       std::string(content().size(), 'x')};  // as long, other bytes: 416
  for (const std::string& part : parts) {
    CAPTURE(part.size());
    std::filesystem::remove(scene.target);
    put(scene.part(), part);
    HttpServer server({{"file.gz", content()}}, {});
    download({server.url() + "file.gz"}, scene.target, scene.md5);
    CHECK(read_file(scene.target) == content());
    CHECK(server.requests().back().range.empty());
  }
}

TEST_CASE("download: a part that is whole is only renamed") {
  const Scene scene;
  put(scene.part(), content());
  HttpServer server({{"file.gz", content()}}, {});
  download({server.url() + "file.gz"}, scene.target, scene.md5);
  CHECK(read_file(scene.target) == content());
  CHECK_FALSE(scene.part_exists());
}

TEST_CASE("download: a host that sends more than any dataset has is cut off, announced or not") {
  for (const bool endless : {false, true}) {
    const Scene scene;
    HttpServer::Behaviour behaviour;
    behaviour.announces = !endless;
    behaviour.endless = endless;
    HttpServer server({{"file.gz", content()}}, behaviour);
    DownloadOptions options;
    options.max_bytes = 200000;
    CHECK_INPUT_ERROR(download({server.url() + "file.gz"}, scene.target, scene.md5, options),
                      "file.gz: more than 200000 bytes");
    CHECK_FALSE(scene.exists());
    CHECK_FALSE(scene.part_exists());
  }
}

TEST_CASE("download: wrong bytes are named, thrown away, and the next host is asked") {
  const Scene scene;
  HttpServer wrong({{"file.gz", "wrong bytes"}}, {});
  const std::string found = md5_of("wrong bytes");
  CHECK_INPUT_ERROR(download({wrong.url() + "file.gz"}, scene.target, scene.md5),
                    "wrong bytes (expected md5 " + scene.md5 + ", found " + found + ")");
  CHECK_FALSE(scene.exists());
  CHECK_FALSE(scene.part_exists());
  HttpServer right({{"file.gz", content()}}, {});
  download({wrong.url() + "file.gz", right.url() + "file.gz"}, scene.target, scene.md5);
  CHECK(read_file(scene.target) == content());
}

TEST_CASE("download: 404 and a host that is not there, each with its address") {
  const Scene scene;
  HttpServer server({}, {.not_found = true});
  const std::string url = server.url() + "file.gz";
  CHECK_INPUT_ERROR(
      download({url, "http://127.0.0.1:1/file.gz"}, scene.target, scene.md5),
      "file.gz: expected a host that offers it; found " + url + ": HTTP 404, http://127.0.0.1:1/file.gz: ");
  CHECK(server.requests().size() == 1);
  CHECK_FALSE(scene.exists());
  CHECK_FALSE(scene.part_exists());
  // What another host began is not lost to a 404.
  put(scene.part(), content().substr(0, 7));
  CHECK_INPUT_ERROR(download({url}, scene.target, scene.md5), "HTTP 404");
  CHECK(read_file(scene.part()) == content().substr(0, 7));
}

TEST_CASE("download: other schemes than HTTP are refused") {
  const Scene scene;
  const TempFolder folder;
  put(folder / "secret", content());
  CHECK_INPUT_ERROR(download({"file://" + (folder / "secret")}, scene.target, scene.md5),
                    "expected a host that offers it");
  CHECK_FALSE(scene.exists());
}

TEST_CASE("download: what stands under another program's name is left alone, a planted part is refused") {
  HttpServer server({{"file.gz", content()}}, {});
  const Scene scene;
  put(scene.folder / "victim", "precious");
  put(scene.target + ".part", "my own");
  const auto fetch = [&] { download({server.url() + "file.gz"}, scene.target, scene.md5); };
  const auto refused = [&] {
    CHECK_INPUT_ERROR(fetch(), ".part: expected a file of this user, with one name, or none; found ");
    std::filesystem::remove(scene.part());
    CHECK_FALSE(scene.exists());
    CHECK(read_file(scene.folder / "victim") == "precious");
  };
  std::filesystem::create_hard_link(scene.folder / "victim", scene.part());
  refused();
  std::filesystem::create_symlink(scene.folder / "victim", scene.part());
  refused();
  std::filesystem::create_symlink(scene.folder / "nowhere", scene.part());
  refused();
  REQUIRE(::mkfifo(scene.part().c_str(), 0600) == 0);
  refused();
  std::filesystem::create_directory(scene.part());
  refused();
  CHECK(server.requests().empty());
  fetch();
  CHECK(read_file(scene.target) == content());
  CHECK(read_file(scene.target + ".part") == "my own");
}

TEST_CASE("download: a user's .curlrc changes nothing") {
  const Scene scene;
  const TempFolder home;
  HttpServer server({{"file.gz", content()}}, {});
  put(home / ".curlrc", "request-target = /elsewhere\n");
  const std::string before = std::getenv("CURL_HOME") != nullptr ? std::getenv("CURL_HOME") : "";
  ::setenv("CURL_HOME", home.path().c_str(), 1);
  download({server.url() + "file.gz"}, scene.target, scene.md5);
  before.empty() ? ::unsetenv("CURL_HOME") : ::setenv("CURL_HOME", before.c_str(), 1);
  CHECK(read_file(scene.target) == content());
  CHECK(server.requests()[0].path == "file.gz");
}

TEST_CASE("download: a redirection leads to https or nowhere, and https stays https") {
  const Scene scene;
  HttpServer target({{"file.gz", content()}}, {});
  HttpServer::Behaviour behaviour;
  behaviour.redirect = target.url() + "file.gz";
  HttpServer server({}, behaviour);
  CHECK_INPUT_ERROR(download({server.url() + "file.gz"}, scene.target, scene.md5),
                    "expected a host that offers it; found ");
  CHECK(server.requests().size() == 1);
  CHECK(target.requests().empty());

  // What curl is told, by one that writes its words down.
  put(scene.folder / "curl", "#!/bin/sh\necho \"$@\" >>\"" + (scene.folder / "words") + "\"\nexit 6\n");
  std::filesystem::permissions(scene.folder / "curl", std::filesystem::perms::owner_all);
  DownloadOptions options;
  options.curl = scene.folder / "curl";
  CHECK_INPUT_ERROR(
      download({"https://127.0.0.1:1/a", "http://127.0.0.1:1/b"}, scene.target, scene.md5, options),
      "expected a host that offers it");
  const std::string words = read_file(scene.folder / "words");
  const std::string second = words.substr(words.find('\n') + 1);
  for (const std::string& line : {words, second}) {
    CHECK(line.starts_with("-q "));
    CHECK(line.find(" --proto-redir =https ") != std::string::npos);
  }
  CHECK(words.find(" --proto =https ") < words.find('\n'));
  CHECK(second.find(" --proto =http,https ") != std::string::npos);
}

TEST_CASE("download: a second process waits for the first and uses its file") {
  const Scene scene;
  HttpServer server({{"file.gz", content()}}, {});
  std::vector<std::string> outcomes(4);
  std::vector<std::thread> runs;
  runs.reserve(outcomes.size());
  // flock() excludes open file descriptions, so that threads stand for processes here.
  for (std::string& outcome : outcomes) {
    runs.emplace_back([&] {
      try {
        download({server.url() + "file.gz"}, scene.target, scene.md5);
        outcome = "done";
      } catch (const std::exception& error) {
        outcome = error.what();
      }
    });
  }
  for (std::thread& run : runs) run.join();
  for (const std::string& outcome : outcomes) CHECK(outcome == "done");
  CHECK(read_file(scene.target) == content());
  CHECK_FALSE(scene.part_exists());
  CHECK(server.requests().size() == 1);
}
