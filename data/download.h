#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cbnet::data {

struct DownloadOptions {
  /// Shows curl's progress bar on stderr.
  bool progress = false;
  /// Says how often one host may cut the connection before the next one is tried.
  int attempts = 4;
  std::string curl = "curl";
  /// This is more than twice the largest of the datasets' files; it stops a host that never ends.
  std::int64_t max_bytes = 64 << 20;
};

/// Fetches `target` from the first of `urls` that has it, with the curl program (no shell).
///
/// Bytes go to "<target>.<md5>.part"; only a file whose MD5 is `md5` gets the final name. A part left by a
/// cut connection or an earlier run is continued, and thrown away when the server cannot continue it or the
/// whole turns out wrong. Two processes may fetch the same file: the second waits for the first.
/// curl reads no .curlrc, and a redirection leads to https or nowhere.
/// A target that exists with the right checksum is left as it is.
///
/// Throws InputError when no host gave the right bytes (each with its reason), when curl is not installed, or
/// when a file that is not the requested one stands under the final name, or what is no file of one's own
/// under the part's; std::runtime_error when the disk fails.
void download(const std::vector<std::string>& urls, const std::string& target, const std::string& md5,
              const DownloadOptions& options = {});

}  // namespace cbnet::data
