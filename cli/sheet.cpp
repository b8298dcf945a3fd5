#include "cli/sheet.h"

#include <algorithm>
#include <cmath>

#include "console/output.h"
#include "data/image.h"
#include "data/sheet.h"
#include "tensor/error.h"

namespace cbnet::cli {
namespace {

constexpr std::size_t kPerClass = 4;
constexpr std::int64_t kBatch = 500;
constexpr std::int64_t kScale = 4;

/// Returns image i of f32 (N,C,H,W) in [0, 1] as u8 (C,H,W).
Tensor to_bytes(const Tensor& converted, std::int64_t i) {
  const Tensor image = converted.select(0, i);
  const std::vector<float> pixels = image.to_vector<float>();
  std::vector<std::uint8_t> bytes;
  bytes.reserve(pixels.size());
  for (const float pixel : pixels) {
    bytes.push_back(static_cast<std::uint8_t>(std::lround(255.0F * std::clamp(pixel, 0.0F, 1.0F))));
  }
  return Tensor::from(bytes, image.shape());
}

/// Finds, per class, the indices of the first test images that go past the early exit.
std::vector<std::vector<std::int64_t>> first_hard(Predictor& branchynet, const data::Split& test) {
  std::vector<std::vector<std::int64_t>> out(branchynet.info().classes.size());
  const auto full = [](const auto& indices) { return indices.size() == kPerClass; };
  for (std::int64_t begin = 0; begin < test.size(); begin += kBatch) {
    const std::int64_t end = std::min(begin + kBatch, test.size());
    const Predictions seen = branchynet.predict(test.images.slice(0, begin, end));
    const std::vector<std::int64_t> labels = test.labels.slice(0, begin, end).to_vector<std::int64_t>();
    for (std::size_t i = 0; i < labels.size(); ++i) {
      auto& indices = out.at(static_cast<std::size_t>(labels[i]));
      if (seen.exit[i] > 0 && !full(indices)) indices.push_back(begin + static_cast<std::int64_t>(i));
    }
    if (std::all_of(out.begin(), out.end(), full)) break;
  }
  return out;
}

/// Shows the image as it is and as it is converted, with the answer.
void add_tiles(std::vector<data::Tile>& row, Predictor& cbnet, const data::Split& test, std::int64_t index,
               const std::vector<std::string>& classes) {
  const Predictions answer = cbnet.predict(test.images.slice(0, index, index + 1));
  const std::int64_t label = answer.labels.front();
  const bool right = label == static_cast<std::int64_t>(test.labels.at({index}));
  row.push_back({test.images.select(0, index), concat("test #", index)});
  if (label < 0) {
    row.push_back({to_bytes(answer.converted, 0), "no answer"});
    return;
  }
  row.push_back({to_bytes(answer.converted, 0), concat(classes.at(static_cast<std::size_t>(label)), "\n",
                                                       fixed(100.0 * answer.probabilities.at({0, label}), 1),
                                                       "% ", right ? "right" : "wrong")});
}

}  // namespace

void save_hard_sheet(const std::filesystem::path& file, Predictor& branchynet, Predictor& cbnet,
                     const data::Split& test, const std::vector<std::string>& classes) {
  const auto hard = first_hard(branchynet, test);
  std::vector<std::vector<data::Tile>> rows;
  std::vector<std::string> titles;
  for (std::size_t label = 0; label < hard.size(); ++label) {
    if (hard[label].empty()) continue;
    std::vector<data::Tile> row;
    for (const std::int64_t index : hard[label]) add_tiles(row, cbnet, test, index, classes);
    rows.push_back(std::move(row));
    titles.push_back(concat("true class ", classes[label], ": hard input, converted, CBNet's answer"));
  }
  if (rows.empty()) {
    throw InputError("--save-sheet", "test images that go past the first exit", "none",
                     "a lower --threshold makes more images hard");
  }
  data::write_png(file, data::compose_sheet(rows, titles, kScale));
}

void save_converted(const std::filesystem::path& file, const Tensor& converted,
                    const std::vector<std::string>& captions) {
  constexpr std::size_t kColumns = 8;
  if (captions.size() == 1) {
    data::write_png(file, to_bytes(converted, 0));
    return;
  }
  std::vector<std::vector<data::Tile>> rows;
  for (std::size_t i = 0; i < captions.size(); ++i) {
    if (i % kColumns == 0) rows.emplace_back();
    rows.back().push_back({to_bytes(converted, static_cast<std::int64_t>(i)), captions[i]});
  }
  data::write_png(file, data::compose_sheet(rows, {}, kScale));
}

}  // namespace cbnet::cli
