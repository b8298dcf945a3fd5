#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cbnet/recipe.h"
#include "cbnet/run_folder.h"
#include "models/checkpoint.h"
#include "train/course.h"

namespace cbnet {

/// All stages of a run share this besides the recipe.
struct RunIdentity {
  std::string dataset, data_md5;
  std::uint64_t seed = 1;
  /// These are set where the network is not the paper's: its name, the MD5 of its description and of the
  /// weights it starts from (empty: fresh ones), whether it has side exits, and where it is cut when it has
  /// none (0: chosen).
  std::string network = {}, network_md5 = {}, weights_md5 = {};
  bool has_exits = false;
  std::int64_t k = 0;
};

/// A history says what decides the bits of each stage of a run, and what an earlier training into the folder
/// left of it: a stage is kept, goes on from fewer epochs, or is trained anew for it was made from another
/// BranchyNet.
class StageHistory {
 public:
  StageHistory(const RunFolder& folder, const Recipe& recipe, RunIdentity identity)
      : folder_(folder), recipe_(recipe), identity_(std::move(identity)) {}

  /// Reads what is finished of the stages, in the order in which they build on one another. Throws InputError
  /// for a model of other settings or of more epochs, for one to go on from whose state is not there, and
  /// where a longer BranchyNet would leave models behind that were made from the shorter one.
  void look_at(const std::vector<std::string>& stages);

  /// Returns the settings that decide a stage's bits, besides the machine, as JSON text; those of BranchyNet
  /// in it where it was made from one.
  std::string fingerprint(const std::string& stage) const;
  /// Returns a finished model to keep, or nothing.
  std::optional<Model> take_finished(const std::string& stage);
  /// Names the stage whose network the lightweight classifier is cut from.
  std::string base() const { return identity_.network.empty() ? "branchynet" : identity_.network; }
  /// Says what a stage's teacher is, by the MD5 of its weights: where its file lies does not matter.
  void set_teacher(const std::string& stage, std::string md5) { teachers_[stage] = std::move(md5); }
  bool is_anew(const std::string& stage) const { return anew_.contains(stage); }
  void set_earlier(const std::string& stage, std::vector<EarlierEpochs> earlier) {
    earlier_[stage] = std::move(earlier);
  }

 private:
  /// Names the stage that another is made from; empty for a network.
  std::string parent_of(const std::string& stage) const;
  void look_at_one(const std::string& stage);
  void require_state(const std::string& stage, std::int64_t epochs) const;
  void refuse_stale() const;

  const RunFolder& folder_;
  const Recipe& recipe_;
  RunIdentity identity_;
  std::map<std::string, Model> finished_;
  std::map<std::string, std::string> teachers_;
  std::set<std::string> longer_, anew_;
  std::map<std::string, std::vector<EarlierEpochs>> earlier_;
};

}  // namespace cbnet
