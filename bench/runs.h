#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cbnet/predictor.h"
#include "console/options.h"
#include "data/dataset_id.h"

namespace cbnet::bench {

/// The folders that --run names. UsageError when there are none, or one twice: a mean would count it double.
std::vector<std::string> run_folders(const CommandLine& line);

/// All models that the run folder has, in the tables' order. InputError when it has none, or models of
/// several datasets.
std::vector<std::unique_ptr<Predictor>> load_models(const std::string& run);

/// Of the name that a model carries; "kmnist-first7011" is KMNIST.
data::DatasetId dataset_id(const std::string& name);

}  // namespace cbnet::bench
