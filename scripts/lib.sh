# Shared by the scripts beside it; source it, do not run it. It leaves the caller in the repository root.
# shellcheck shell=bash

CBNET_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$CBNET_ROOT" || exit 1
CBNET_SCRIPT=$(basename "$0")

say() { printf '[%s] %s\n' "$CBNET_SCRIPT" "$*"; }

# die <exit code> <one line>
die() {
  local code=$1
  shift
  printf '[%s] %s\n' "$CBNET_SCRIPT" "$*" >&2
  exit "$code"
}

# need_value <option> <count of the words left, the option included>: an option that takes a value has one.
need_value() { [ "$2" -ge 2 ] || die 2 "$1 needs a value; see --help"; }

package_client() {
  local client
  for client in apt-get dnf pacman apk brew; do
    if command -v "$client" >/dev/null; then
      echo "$client"
      return
    fi
  done
  echo none
}

# package_names <client> <group>: what the client calls the packages of a group (build, test, lint, fuzz, peers).
package_names() {
  case $1:$2 in
    apt-get:build)
      echo g++ cmake ninja-build libopenblas-dev libcxxopts-dev zlib1g-dev libzip-dev \
        nlohmann-json3-dev libpng-dev libjpeg-dev libssl-dev curl ca-certificates ;;
    apt-get:test) echo doctest-dev binutils ;;
    apt-get:lint) echo clang-format clang-tidy ;;
    apt-get:fuzz) echo clang libclang-rt-dev ;;
    apt-get:peers)
      echo libtorch-dev libopenblas0-openmp libdnnl-dev libdlib-dev tiny-dnn libcereal-dev libstb-dev libgemmlowp-dev \
        libonnx-dev libprotobuf-dev protobuf-compiler npm gnuplot-nox ;;
    dnf:build)
      echo gcc-c++ cmake ninja-build openblas-devel cxxopts-devel zlib-devel libzip-devel json-devel libpng-devel libjpeg-turbo-devel openssl-devel curl ;;
    dnf:test) echo doctest-devel binutils ;;
    dnf:lint) echo clang-tools-extra ;;
    dnf:fuzz) echo clang compiler-rt ;;
    pacman:build) echo gcc cmake ninja openblas cxxopts zlib libzip nlohmann-json libpng libjpeg-turbo openssl curl ;;
    pacman:test) echo doctest binutils ;;
    pacman:lint) echo clang ;;
    pacman:fuzz) echo clang compiler-rt ;;
    *:build)
      echo "g++ (12 or newer), cmake (3.25 or newer), ninja or make, OpenBLAS, cxxopts, zlib, libzip," \
        "nlohmann-json, libpng, libjpeg, OpenSSL, curl" ;;
    *:test) echo "doctest, binutils" ;;
    *:lint) echo "clang-format, clang-tidy" ;;
    *:fuzz) echo "clang with libFuzzer" ;;
    *:peers) echo "LibTorch, OpenBLAS for OpenMP, oneDNN, dlib, tiny-dnn, ONNX, protobuf, npm, gnuplot" ;;
  esac
}

# from_caller <path>: scripts run in the repository root; a path is meant from where the caller stands.
from_caller() {
  case $1 in
    /*) printf '%s' "$1" ;;
    *) printf '%s/%s' "$OLDPWD" "$1" ;;
  esac
}

is_installed() { # <client> <package>
  case $1 in
    apt-get)
      # A tool that came by another way (a newer CMake in /usr/local, say) is as good as its package.
      case $2 in
        g++ | cmake | curl | clang-format | clang-tidy | npm) command -v "$2" >/dev/null && return ;;
        ninja-build) command -v ninja >/dev/null && return ;;
        gnuplot-nox) command -v gnuplot >/dev/null && return ;;
      esac
      [ "$(dpkg-query -W -f '${db:Status-Status}' "$2" 2>/dev/null)" = installed ] ;;
    dnf) rpm -q "$2" >/dev/null 2>&1 ;;
    pacman) pacman -Q "$2" >/dev/null 2>&1 ;;
  esac
}

# Without a terminal nothing asks for a password. sudo asks on the terminal, not on stdin.
can_be_root() {
  [ "$(id -u)" -eq 0 ] || { command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; }
}

# as_root <command>…: runs it as root with nothing on its stdin, or dies with the one line to type.
as_root() {
  can_be_root || die 1 "packages are missing and sudo is not there or wants a password; run as root: $*"
  if [ "$(id -u)" -eq 0 ]; then "$@" </dev/null; else sudo "$@" </dev/null; fi
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "$@"
}

apt_knows() { # <package>
  local policy
  policy=$(apt-cache policy "$1" 2>/dev/null)
  [[ $policy == *"Candidate: "[!\(]* ]]
}

# Lists that are older than the mirror name files which are gone from it, hence the second try.
apt_install_or_refresh() {
  apt_install "$@" && return
  say "trying again with fresh package lists"
  as_root apt-get update -qq
  apt_install "$@"
}

# apt_packages <package>…: installs those that are missing.
apt_packages() {
  local package missing=() unknown=no
  for package in "$@"; do
    is_installed apt-get "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  # A fresh machine has no package lists, and apt-cache then knows no candidate.
  for package in "${missing[@]}"; do
    apt_knows "$package" || unknown=yes
  done
  if [ $unknown = yes ]; then
    say "fetching the package lists"
    as_root apt-get update -qq || die 1 "apt-get update failed; check the network and the package sources"
    for package in "${missing[@]}"; do
      apt_knows "$package" || die 1 "this system offers no package $package; Debian 12, Ubuntu 24.04 and their kin do"
    done
  fi
  say "installing ${missing[*]}"
  apt_install_or_refresh "${missing[@]}" || die 1 "apt-get could not install: ${missing[*]}"
}

# other_packages <client> <package>…: names what is missing; only apt-get is driven from here.
other_packages() {
  local client=$1 package missing=()
  shift
  for package in "$@"; do
    is_installed "$client" "$package" || missing+=("$package")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    die 1 "only Debian-like systems are set up by this script; install these with $client, then run it again" \
      "(or set CBNET_NO_INSTALL=1): ${missing[*]}"
  fi
}

# install_packages <group>…: installs what is missing and nothing else.
install_packages() {
  local client group words packages=()
  if [ -n "${CBNET_NO_INSTALL:-}" ]; then
    say "CBNET_NO_INSTALL is set: installing no packages"
    check_tools
    return
  fi
  client=$(package_client)
  for group in "$@"; do
    read -r -a words <<<"$(package_names "$client" "$group")"
    packages+=("${words[@]}")
  done
  case $client in
    apt-get) apt_packages "${packages[@]}" ;;
    dnf | pacman) other_packages "$client" "${packages[@]}" ;;
    *) die 1 "no apt-get here; install these, then run again with CBNET_NO_INSTALL=1: ${packages[*]}" ;;
  esac
  check_tools
}

# install_if_offered <package>: nice to have. Where it cannot be had, that is said and no more.
install_if_offered() {
  [ -z "${CBNET_NO_INSTALL:-}" ] && [ "$(package_client)" = apt-get ] || return 0
  is_installed apt-get "$1" && return
  if can_be_root; then
    [ -n "$(find /var/lib/apt/lists -name '*_Packages*' -print -quit 2>/dev/null)" ] || as_root apt-get update -qq || true
    if apt_knows "$1" && say "installing $1" && apt_install_or_refresh "$1"; then return; fi
  fi
  say "going on without the package $1"
}

# has_header <header>: the compiler finds it.
has_header() { echo "#include <$1>" | "${CXX:-c++}" -E -x c++ - >/dev/null 2>&1; }

# offer_onnx: libonnx and protobuf where they can be had. Prints ON or OFF, for -DCBNET_ONNX; what it says besides goes to
# stderr.
offer_onnx() {
  local package
  for package in libonnx-dev libprotobuf-dev protobuf-compiler; do install_if_offered $package >&2; done
  if has_header onnx/onnx-ml.pb.h && command -v protoc >/dev/null; then
    echo ON
  else
    say "no libonnx-dev here: ONNX is left out" >&2
    echo OFF
  fi
}

# offer_onnxruntime: ONNX Runtime's package for node, some 290 MB, in build/onnxruntime, where there are node and npm.
# Without its install scripts, which would fetch libraries for GPUs.
offer_onnxruntime() {
  local folder=build/onnxruntime
  if [ -d $folder/node_modules/onnxruntime-node ]; then return; fi
  if [ -n "${CBNET_NO_INSTALL:-}" ] || ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    say "going on without ONNX Runtime, which wants node and npm"
  else
    say "installing onnxruntime-node into $folder"
    npm install --ignore-scripts --no-audit --no-fund --silent --prefix $folder onnxruntime-node ||
      say "going on without ONNX Runtime, which npm could not install"
  fi
}

# at_least <version> <floor>
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

check_tools() {
  local cmake_version compiler compiler_version
  command -v cmake >/dev/null || die 1 "cmake not found; cbnet needs 3.25 or newer"
  cmake_version=$(cmake --version | sed -n '1s/[^0-9]*//p')
  at_least "${cmake_version%%-*}" 3.25 ||
    die 1 "cmake 3.25 or newer is needed; found $cmake_version at $(command -v cmake)"
  compiler=${CXX:-$(command -v c++ || command -v g++ || true)}
  [ -n "$compiler" ] || die 1 "no C++ compiler found; cbnet needs g++ 12 or clang++ 14, or newer"
  if "$compiler" --version 2>/dev/null | grep -q 'Free Software Foundation'; then
    compiler_version=$("$compiler" -dumpversion)
    at_least "$compiler_version" 12 || die 1 "g++ 12 or newer is needed; found $compiler_version at $compiler"
  fi
  # Read by CMake when it configures a build folder for the first time, and ignored by it after.
  if [ -z "${CMAKE_GENERATOR:-}" ] && command -v ninja >/dev/null; then export CMAKE_GENERATOR=Ninja; fi
  if [ -z "${CMAKE_CXX_COMPILER_LAUNCHER:-}" ] && command -v ccache >/dev/null; then
    export CMAKE_CXX_COMPILER_LAUNCHER=ccache
  fi
}

# A compiler takes up to about 0.7 GB; on a small board fewer of them than cores fit.
build_jobs() {
  local cores memory_kb jobs
  cores=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
  memory_kb=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo 2>/dev/null || true)
  jobs=$cores
  if [ -n "$memory_kb" ] && [ $((memory_kb / 700000)) -lt "$jobs" ]; then jobs=$((memory_kb / 700000)); fi
  [ "$jobs" -ge 1 ] || jobs=1
  echo "$jobs"
}
