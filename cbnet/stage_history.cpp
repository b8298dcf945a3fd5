#include "cbnet/stage_history.h"

#include <algorithm>

#include "cbnet/provenance.h"
#include "models/json.h"
#include "tensor/error.h"

namespace cbnet {
namespace {

void copy_keys(const Json& from, Json& to, std::initializer_list<const char*> keys) {
  for (const char* key : keys) to[key] = from.at(key);
}

}  // namespace

std::string StageHistory::fingerprint(const std::string& stage) const {
  const Json all = parse_json(to_json(recipe_));
  Json own{{"stage", stage},
           {"dataset", identity_.dataset},
           {"data_md5", identity_.data_md5},
           {"seed", identity_.seed},
           {"validation_fraction", recipe_.validation_fraction}};
  own["recipe"] = all.at(stage);
  if (all.contains("normalisation")) own["normalisation"] = all["normalisation"];
  if (stage == "branchynet")
    copy_keys(all, own, {"early_loss_weight", "final_loss_weight", "threshold", "auto_margin"});
  if (stage == "autoencoder") {
    copy_keys(all, own, {"target", "output", "reconstruction", "activity_l1", "activity_scope"});
    own["branchynet"] = parse_json(fingerprint("branchynet"));
  }
  const auto earlier = earlier_.find(stage);
  return earlier == earlier_.end() ? own.dump() : with_earlier(own.dump(), earlier->second);
}

std::optional<Model> StageHistory::take_finished(const std::string& stage) {
  auto found = finished_.extract(stage);
  return found.empty() ? std::nullopt : std::optional<Model>(std::move(found.mapped()));
}

void StageHistory::look_at(const std::vector<std::string>& stages) {
  for (const std::string& stage : stages) look_at_one(stage);
  if (std::find(stages.begin(), stages.end(), "autoencoder") == stages.end()) refuse_stale();
}

void StageHistory::look_at_one(const std::string& stage) {
  const auto file = folder_.model_file(stage);
  if (!std::filesystem::exists(file)) return;
  Model model = load_model(file);
  const Course own = course_of(fingerprint(stage));
  const Course found = course_of(fingerprint_of(model.info, file.string()));
  if (own.rest != found.rest) {
    const Difference differs = first_difference(own.rest, found.rest);
    throw InputError(file.string(), concat("a model trained with ", differs.expected), differs.found,
                     "choose another --out");
  }
  if (own.branchynet != found.branchynet || (stage == "autoencoder" && longer_.contains("branchynet"))) {
    anew_.insert(stage);
  } else if (found.epochs > own.epochs) {
    throw InputError(file.string(), concat("a model trained for at most ", own.epochs, " epochs"),
                     concat(found.epochs), "ask for that many epochs or more, or choose another --out");
  } else if (found.epochs < own.epochs) {
    require_state(stage, found.epochs);
    longer_.insert(stage);
  } else {
    earlier_[stage] = found.earlier;
    finished_[stage] = std::move(model);
  }
}

/// Adam's moments are not in the model.
void StageHistory::require_state(const std::string& stage, std::int64_t epochs) const {
  const auto file = folder_.finished_file(stage);
  if (std::filesystem::exists(file) || std::filesystem::exists(folder_.state_file(stage))) return;
  throw InputError(file.string(), "the state to go on from, as this version keeps it", "no such file",
                   concat("--epochs ", epochs, " keeps the model; another --out trains anew"));
}

/// No autoencoder or classifier may stay behind that the BranchyNet beside it knows nothing of.
void StageHistory::refuse_stale() const {
  if (!longer_.contains("branchynet")) return;
  for (const char* made : {"autoencoder", "classifier"}) {
    if (!std::filesystem::exists(folder_.model_file(made))) continue;
    throw InputError(folder_.path().string(), "no model that was made from the BranchyNet of fewer epochs",
                     folder_.model_file(made).filename().string(),
                     "--model cbnet makes it anew; another --out keeps both");
  }
}

}  // namespace cbnet
