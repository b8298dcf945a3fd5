#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace cbnet::test {

/// A small HTTP/1.1 server on 127.0.0.1 for tests of downloads: one thread, one request at a time.
class HttpServer {
 public:
  struct Behaviour {
    bool ranges = true;         ///< answer 206 to "Range: bytes=N-"; otherwise always the whole with 200
    bool announces = true;      ///< sends Content-Length; without it the body ends with the connection
    bool endless = false;       ///< sends the body again and again until the client leaves
    bool not_found = false;     ///< 404 for everything
    std::string redirect{};     ///< 302 to this address for everything
    int cuts = 0;               ///< close the connection of this many requests early…
    std::size_t cut_after = 0;  ///< …after so many bytes of the body
  };

  struct Request {
    std::string path;
    std::string range;  ///< "" or the header's value
  };

  explicit HttpServer(std::map<std::string, std::string> files, Behaviour behaviour)
      : files_(std::move(files)), behaviour_(std::move(behaviour)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener_, 8) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("the test's HTTP server cannot listen on 127.0.0.1");
    }
    port_ = ntohs(address.sin_port);
    // A proxy must not see the requests.
    ::setenv("no_proxy", "127.0.0.1", 1);
    thread_ = std::thread([this] { serve(); });
  }

  ~HttpServer() {
    stopping_ = true;
    thread_.join();
    ::close(listener_);
  }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// "http://127.0.0.1:<port>/".
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

  std::vector<Request> requests() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return requests_;
  }

 private:
  void serve() {
    while (!stopping_) {
      pollfd waiting{listener_, POLLIN, 0};
      if (::poll(&waiting, 1, 20) <= 0) continue;
      const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) continue;
      answer(connection);
      ::close(connection);
    }
  }

  static std::string read_head(int connection) {
    std::string head;
    char byte = 0;
    while (head.find("\r\n\r\n") == std::string::npos && ::recv(connection, &byte, 1, 0) == 1) head += byte;
    return head;
  }

  /// False when the client is gone.
  static bool send_all(int connection, const std::string& bytes) {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t sent = ::send(connection, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
      if (sent <= 0) return false;
      done += static_cast<std::size_t>(sent);
    }
    return true;
  }

  void answer(int connection) {
    const std::string head = read_head(connection);
    const std::size_t start = head.find('/');
    if (start == std::string::npos) return;
    Request request;
    request.path = head.substr(start + 1, head.find(' ', start) - start - 1);
    if (const std::size_t at = head.find("\r\nRange: "); at != std::string::npos) {
      request.range = head.substr(at + 9, head.find("\r\n", at + 2) - at - 9);
    }
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      requests_.push_back(request);
    }
    if (!behaviour_.redirect.empty()) {
      send_all(connection, "HTTP/1.1 302 Found\r\nLocation: " + behaviour_.redirect +
                               "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      return;
    }
    const auto file = files_.find(request.path);
    if (behaviour_.not_found || file == files_.end()) {
      send_all(connection,
               "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\nConnection: close\r\n\r\nnot here\n");
      return;
    }
    const std::string& whole = file->second;
    std::size_t first = 0;
    std::string status = "200 OK";
    std::string extra;
    if (behaviour_.ranges && !request.range.empty()) {
      first = std::stoul(request.range.substr(request.range.find('=') + 1));
      status = "206 Partial Content";
      extra = "Content-Range: bytes " + std::to_string(first) + "-" + std::to_string(whole.size() - 1) + "/" +
              std::to_string(whole.size()) + "\r\n";
      if (first >= whole.size()) {
        send_all(connection, "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */" +
                                 std::to_string(whole.size()) +
                                 "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        return;
      }
    }
    std::string body = whole.substr(first);
    const std::string length =
        behaviour_.announces ? "Content-Length: " + std::to_string(body.size()) + "\r\n" : "";
    if (behaviour_.cuts > 0) {
      --behaviour_.cuts;
      body.resize(std::min(body.size(), behaviour_.cut_after));
    }
    send_all(connection, "HTTP/1.1 " + status + "\r\n" + extra + length + "Connection: close\r\n\r\n" + body);
    while (behaviour_.endless && !stopping_ && send_all(connection, body)) {
    }
  }

  std::map<std::string, std::string> files_;
  Behaviour behaviour_;
  std::mutex mutex_;
  std::vector<Request> requests_;
  std::atomic<bool> stopping_{false};
  int listener_ = -1;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace cbnet::test
