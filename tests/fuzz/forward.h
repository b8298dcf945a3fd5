#pragma once

#include "models/checkpoint.h"
#include "runtime/graph.h"

// Forward passes of what a fuzz target loaded. A file may ask for any amount of work, so only what takes a
// moment and some MiB is run; the rest was read, and that is all.

namespace cbnet::testing {

/// Compiles the graph and runs it on one image and on a few. Throws std::logic_error for answers that no plan
/// may give.
void run_if_small(const runtime::Graph& graph);

/// The graph, where it is small, with allocation number `first` of compiling it and running it failing.
/// Throws std::logic_error when a workspace that ran out of memory then answers other than a fresh one.
void run_short_of_memory(const runtime::Graph& graph, std::int64_t first);

/// The network on a few images, every exit of it.
void run_if_small(Network& network);

/// Builds the network from the spec where that is small, and runs it.
void run_if_small(const NetworkSpec& spec);

/// The model's network, and its compiled graph where its layers are ones that plans have.
void run_if_small(const Model& model);

}  // namespace cbnet::testing
