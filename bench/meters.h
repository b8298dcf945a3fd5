#pragma once

#include <memory>

#include "console/options.h"
#include "energy/meter.h"

// The command line chooses the meter, which turns a window into joules.

namespace cbnet::bench {

/// Adds --meter, --gpu, --power-model and --power-constants.
void add_meter_options(CommandLine& line);

/// Throws UsageError for options that the chosen meter does not have, and as the meters do.
std::unique_ptr<energy::Meter> chosen_meter(const CommandLine& line, const energy::Host& host);

}  // namespace cbnet::bench
