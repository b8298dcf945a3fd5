#pragma once

#include "cbnet/predictor.h"
#include "console/output.h"

namespace cbnet {

/// Prints a line on stderr for each file that is passed over.
void warn_of_unusable(const char* program, const std::string& run,
                      const std::vector<UnusableModel>& unusable);

/// Returns what the program ends with when the others are answered: 2 where a model of the paper, as training
/// wrote it, could not be read; 0 where it was another file that lies in the folder.
int exit_code_for(const std::vector<UnusableModel>& unusable);

/// Returns the name and reason of each, for the report.
Json unusable_json(const std::vector<UnusableModel>& unusable);

}  // namespace cbnet
