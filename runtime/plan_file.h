#pragma once

#include <filesystem>

#include "runtime/graph.h"

// A graph lies on the disk as `cbnet compile` writes it: what is folded, quantized and pruned stays so;
// weights are packed for the machine at hand when a plan is made of it.
//
// 32 bytes: "cbnetpln", version (u32), 0 (u32), bytes that follow (u64), their FNV-1a checksum (u64). Then
// the fields of the graph in the order of plan_file.cpp. Numbers are little-endian; a list is its length
// (u64) and its elements.

namespace cbnet::runtime {

/// Writes a graph, whole or not at all; equal graphs give equal bytes. Throws std::runtime_error when it
/// cannot be written, and std::invalid_argument for a graph that check() refuses.
void save_graph(const std::filesystem::path& path, const Graph& graph);

/// Reads a graph. Throws InputError, naming the file: missing, no plan, of a newer version, truncated,
/// damaged, or not a graph that check() accepts. Takes no more memory than a few times the file's size.
Graph load_graph(const std::filesystem::path& path);

/// Does the same for bytes in memory; `source` stands for the file in messages.
std::string graph_to_bytes(const Graph& graph);
Graph graph_from_bytes(const std::string& bytes, const std::string& source);

}  // namespace cbnet::runtime
