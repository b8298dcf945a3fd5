#pragma once

#include <string>

#include "runtime/graph.h"

// What engines that are given a graph node by node have to know of it.

namespace cbnet::peers {

/// Says which node such an engine has no counterpart for, and nothing where it has one for each:
/// convolutions, pools, linear layers of rows, ReLU, ReLU6, sigmoid, flatten, sums of two values and
/// concatenations of channels.
std::string missing_counterpart(const runtime::Graph& graph);

/// Returns how many nodes read value v.
std::int64_t reader_count(const runtime::Graph& graph, std::int32_t v);

/// Tells whether the node is a ReLU, or the min(x, a) that makes one a ReLU6.
bool is_rectifier(const runtime::Node& node);

/// Returns the value that an engine makes at once which joins the rectifiers to the node that makes value v:
/// v itself where no rectifier alone reads it.
std::int32_t with_rectifiers(const runtime::Graph& graph, std::int32_t v);

/// Tells whether an average pool's one window is the plane.
bool is_global(const runtime::Graph& graph, const runtime::Node& pool);

}  // namespace cbnet::peers
