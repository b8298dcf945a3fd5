#include "cbnet/stage_history.h"

#include <algorithm>

#include "models/json.h"
#include "tensor/error.h"
#include "train/provenance.h"

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
  own["recipe"] = all.at(all.contains(stage) ? stage : "network");
  if (const auto teacher = teachers_.find(stage); teacher != teachers_.end())
    own["recipe"]["teacher"] = teacher->second;
  if (all.contains("normalisation")) own["normalisation"] = all["normalisation"];
  if (stage == identity_.network) {
    own["spec_md5"] = identity_.network_md5;
    for (const char* key : {"encoder_target", "encoder_weight"})
      if (all.contains(key)) own[key] = all[key];
    if (!identity_.weights_md5.empty()) own["weights_md5"] = identity_.weights_md5;
  }
  if (stage == base() && (identity_.network.empty() || identity_.has_exits))
    copy_keys(all, own, {"early_loss_weight", "final_loss_weight", "threshold", "auto_margin"});
  if (stage == "classifier") {
    own["k"] = identity_.k == 0 ? Json("auto") : Json(identity_.k);
    copy_keys(all, own, {"truncation", "autoencoder", "threshold", "auto_margin"});
  }
  if (stage == "autoencoder" || stage == "classifier")
    copy_keys(all, own, {"target", "output", "reconstruction", "activity_l1", "activity_scope"});
  if (const std::string parent = parent_of(stage); !parent.empty())
    own[parent == "branchynet" ? "branchynet" : "network"] = parse_json(fingerprint(parent));
  const auto earlier = earlier_.find(stage);
  return earlier == earlier_.end() ? own.dump() : with_earlier(own.dump(), earlier->second);
}

std::string StageHistory::parent_of(const std::string& stage) const {
  if (stage == "classifier") return base();
  if (stage != "autoencoder") return "";
  return identity_.network.empty() || identity_.has_exits ? base() : "classifier";
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
  if (own.parent != found.parent || longer_.contains(parent_of(stage))) {
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

/// No autoencoder or classifier may stay behind that the network beside it knows nothing of.
void StageHistory::refuse_stale() const {
  if (!longer_.contains(base())) return;
  for (const char* made : {"autoencoder", "classifier"}) {
    if (!std::filesystem::exists(folder_.model_file(made))) continue;
    throw InputError(folder_.path().string(), "no model that was made from the network of fewer epochs",
                     folder_.model_file(made).filename().string(),
                     concat(identity_.network.empty() ? "--model cbnet" : "--method cbnet",
                            " makes it anew; another --out keeps both"));
  }
}

}  // namespace cbnet
