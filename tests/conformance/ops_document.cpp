#include "tests/conformance/ops_document.h"

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "tests/conformance/configs.h"

namespace cbnet::testing {
namespace {

const std::string kSource = CBNET_SOURCE_DIR;
// The parts of a contract, in the order in which they are shown; the formula stands before the first.
const std::vector<std::string> kRequired = {"Shapes", "Dtypes", "Saves", "Grad", "Edge", "Kernels"};
const std::vector<std::string> kOptional = {"Training", "Ref"};

struct Part {
  std::string label;
  std::string text;
};

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(' ');
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

/// The comment that the file opens with (after #pragma once), as one line.
std::string opening_comment(const std::string& path) {
  std::ifstream in(kSource + "/" + path);
  if (!in) throw std::runtime_error("cannot read " + path);
  std::string text, line;
  while (std::getline(in, line)) {
    if (line.rfind("//", 0) == 0) {
      text += " " + trimmed(line.substr(2));
    } else if (!text.empty()) {
      break;
    }
  }
  return text;
}

/// "formula. Shapes : … Saves : …" cut at its labels; the first part has none.
std::vector<Part> parts_of(const std::string& contract) {
  std::vector<Part> parts = {{"", ""}};
  std::istringstream words(contract);
  std::string word, pending;
  const auto is_label = [](const std::string& name) {
    for (const auto* list : {&kRequired, &kOptional}) {
      for (const std::string& label : *list) {
        if (label == name) return true;
      }
    }
    return false;
  };
  while (words >> word) {
    if (!pending.empty() && word == ":") {  // "Saves  :"
      parts.push_back({pending, ""});
      pending.clear();
      continue;
    }
    if (!pending.empty()) {
      parts.back().text += " " + pending;
      pending.clear();
    }
    if (is_label(word)) {
      pending = word;
    } else if (word.back() == ':' && is_label(word.substr(0, word.size() - 1))) {  // "Kernels:"
      parts.push_back({word.substr(0, word.size() - 1), ""});
    } else {
      parts.back().text += " " + word;
    }
  }
  for (Part& part : parts) part.text = trimmed(part.text);
  return parts;
}

std::string number(double value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

/// Prose as Markdown: what would be markup stands for itself.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '*' || c == '<' || c == '_' || c == '|' || c == '[') out += '\\';
    out += c;
  }
  return out;
}

std::string line(const std::string& label, const std::string& text) {
  return "- " + label + ": " + escaped(text) + "\n";
}

std::string tolerances(const std::string& name) {
  const Tolerance allowed = tolerance_of(name);
  std::string text = "f32 " + number(allowed.f32) + ", f64 " + number(allowed.f64);
  if (allowed.gradient_floor > 1e-30) text += ", below " + number(allowed.gradient_floor) + " absolute";
  return text + (allowed.reason.empty() ? "" : "; " + allowed.reason);
}

/// One op of ops.def.
std::string section(const std::string& name) {
  const std::string path = "autograd/ops/" + name + ".cpp";
  const std::vector<Part> parts = parts_of(opening_comment(path));
  const std::string head = name + ": ";
  if (parts[0].text.rfind(head, 0) != 0)
    throw std::runtime_error(path + " does not open with '" + head + "'");
  std::string text = "## " + name + "\n\n```\n" + parts[0].text.substr(head.size()) + "\n```\n\n";
  for (const std::string& label : kRequired) {
    bool found = false;
    for (const Part& part : parts) {
      if (part.label != label) continue;
      found = true;
      text += line(label, part.text);
    }
    if (!found) throw std::runtime_error(path + ": the contract has no '" + label + "'");
  }
  for (const std::string& label : kOptional) {
    for (const Part& part : parts) {
      if (part.label == label) text += line(label, part.text);
    }
  }
  return text + line("Tolerance", tolerances(name));
}

struct Pointwise {
  const char* name;
  const char* formula;
  const char* derivative;
  const char* saves;
};

const Pointwise kPointwise[] = {
#define UNARY(name, Type, formula, value, derivative, saves) {#name, formula, #derivative, #saves},
#define UNARY_PARAMETER(name, Type, formula, value, derivative, saves) {#name, formula, #derivative, #saves},
#define BINARY(name, Type, formula, value, by_x, by_z, ...) {#name, formula, #by_x "; by z: " #by_z, "x, z"},
#include "tensor/pointwise.def"
};

std::string pointwise_section() {
  std::string text = "## Pointwise ops\n\n";
  for (const Part& part : parts_of(opening_comment("autograd/ops/pointwise.h"))) {
    if (!part.label.empty()) text += line(part.label, part.text);
  }
  text += line("Tolerance", tolerances("add"));
  text += "\n| op | y | dy/dx, as the source has it | saves |\n|---|---|---|---|\n";
  for (const Pointwise& op : kPointwise) {
    const std::string saves = op.saves == std::string("X")       ? "x"
                              : op.saves == std::string("Y")     ? "y"
                              : op.saves == std::string("SHAPE") ? "x, for its shape"
                                                                 : op.saves;
    text += "| " + std::string(op.name) + " | " + escaped(op.formula) + " | `" + op.derivative + "` | " +
            saves + " |\n";
  }
  return text;
}

}  // namespace

std::string ops_document_path() { return kSource + "/docs/ops.md"; }

std::string ops_document() {
  std::string text =
      "# Ops\n\n"
      "Made by `make_ops_document` from `autograd/ops/ops.def`, `pointwise.def`, the comment that each op's "
      "source opens\nwith, and the tolerances of its tests; a test compares it with them.\n\n"
      "Gradients are checked against central differences in f64 to 1e-6 of the largest gradient of the "
      "input. A\ntolerance below is what separates an op from the reference backend and from LibTorch, "
      "relative "
      "to the largest element:\na few roundings of sums of up to a thousand terms. Where it is wider, the "
      "reason stands beside it. `scripts/conformance`\nwrites down what was measured.\n\n";
#define OP(name, Type) text += section(#name) + "\n";
#include "autograd/ops/ops.def"
#undef OP
  return text + pointwise_section();
}

}  // namespace cbnet::testing
