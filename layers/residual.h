#pragma once

#include "autograd/ops/pointwise.h"
#include "layers/module.h"

namespace cbnet {

/// y = body(x) + shortcut(x) (He et al. 2016); an empty Sequential is the identity. Both sides must give the
/// same shape.
class Residual : public Module {
 public:
  Residual(std::shared_ptr<Module> body, std::shared_ptr<Module> shortcut)
      : body_(register_module("body", std::move(body))),
        shortcut_(register_module("shortcut", std::move(shortcut))) {}
  Variable forward(const Variable& x) override { return add(body_->forward(x), shortcut_->forward(x)); }

 private:
  std::shared_ptr<Module> body_;
  std::shared_ptr<Module> shortcut_;
};

}  // namespace cbnet
