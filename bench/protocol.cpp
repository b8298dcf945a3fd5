#include "bench/protocol.h"

#include "tensor/error.h"

namespace cbnet::bench {
namespace {

Block time_block(const Subject& subject, std::int64_t round, energy::Meter& meter,
                 const ProtocolOptions& options) {
  const auto min_block_ns = static_cast<std::int64_t>(options.min_block_s * 1e9);
  Block block;
  block.round = round;
  block.image_ns.reserve(static_cast<std::size_t>(subject.calls));
  meter.start();
  const std::int64_t start = options.clock();
  std::int64_t now = start;
  do {
    for (std::int64_t call = 0; call < subject.calls; ++call) {
      const std::int64_t before = options.clock();
      const std::int64_t images = subject.run(call);
      now = options.clock();
      block.image_ns.push_back(static_cast<double>(now - before) / static_cast<double>(images));
      block.images += images;
    }
    ++block.passes;
  } while (now - start < min_block_ns);
  block.energy = meter.stop();
  return block;
}

}  // namespace

std::vector<std::vector<Block>> time_blocks(const std::vector<Subject>& subjects, energy::Meter& meter,
                                            const ProtocolOptions& options) {
  require(!subjects.empty(), "protocol", "nothing to time");
  require(options.rounds >= 1, "protocol", "rounds must be at least 1; got ", options.rounds);
  for (const Subject& subject : subjects) {
    require(subject.calls >= 1, "protocol", subject.name, " needs at least one call; got ", subject.calls);
  }
  std::vector<std::vector<Block>> blocks(subjects.size());
  for (std::int64_t round = 0; round < options.rounds; ++round) {
    for (std::size_t turn = 0; turn < subjects.size(); ++turn) {
      const std::size_t s = round % 2 == 0 ? turn : subjects.size() - 1 - turn;
      if (options.progress) options.progress(subjects[s].name, round);
      blocks[s].push_back(time_block(subjects[s], round, meter, options));
    }
  }
  return blocks;
}

double timer_cost_ns(const Clock& clock) {
  constexpr std::int64_t kPairs = 10000;
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < kPairs; ++i) {
    const std::int64_t before = clock();
    sum += clock() - before;
  }
  return static_cast<double>(sum) / static_cast<double>(kPairs);
}

}  // namespace cbnet::bench
