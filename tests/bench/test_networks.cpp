#include "bench/networks.h"

#include <doctest/doctest.h>

#include <stdexcept>

#include "cbnet/run_folder.h"
#include "models/checkpoint.h"
#include "tensor/error.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::bench;

TEST_CASE("networks: wrong use is refused") {
  CHECK_THROWS_SAYING(make_network("vgg", 1), std::invalid_argument, "unknown model 'vgg'");
  CHECK_THROWS_SAYING(make_network("lenet", 1, 0), std::invalid_argument, "got 0 and 28");
  CHECK_THROWS_SAYING(make_network("cbnet-mnist", 1, 1, 56), std::invalid_argument,
                      "28 pixels a side; got 56");
  CHECK_THROWS_SAYING(load_network("no-such-run", "lenet"), InputError, "run folder");
}

TEST_CASE("networks: multiply-adds of other widths and sides are those counted by hand") {
  const auto macs = [](const char* name, std::int64_t width, std::int64_t side) {
    return make_network(name, 1, width, side).cost().macs;
  };
  CHECK(macs("lenet", 1, 28) == 1'140'070);
  // Convolutions of 30x30, 17x17 and 11x11 pixels; 40 x 6 x 6 -> 168 -> 10.
  CHECK(macs("lenet", 2, 28) ==
        900 * 25 * 10 + 289 * 25 * 10 * 20 + 121 * 25 * 20 * 40 + 1'440 * 168 + 168 * 10);
  // 58x58, 31x31 and 18x18; 20 x 9 x 9 -> 84 -> 10.
  CHECK(macs("lenet", 1, 56) ==
        3'364 * 25 * 5 + 961 * 25 * 5 * 10 + 324 * 25 * 10 * 20 + 1'620 * 84 + 84 * 10);
  CHECK(macs("classifier", 2, 28) == 900 * 25 * 10 + 225 * 9 * 10 * 20 + 20 * 64 * 10);
  CHECK(macs("autoencoder-mnist", 2, 28) == 784 * 1'568 + 1'568 * 768 + 768 * 64 + 64 * 784);
  CHECK(macs("branchynet", 1, 28) == 1'247'720);
  CHECK(macs("cbnet-mnist", 1, 28) == 953'088 + 220'150);
}

TEST_CASE("networks: plans of every network, width and side say what the modules say") {
  const auto agree = [](const std::string& name, std::int64_t width, std::int64_t side) {
    CAPTURE(name);
    CAPTURE(width);
    CAPTURE(side);
    const BenchNetwork network = make_network(name, 3, width, side);
    const runtime::Plan plan(network.graph());
    runtime::Workspace workspace(plan);
    const Tensor images = noise_images(5, network.input(), 2, 7);
    const std::vector<float> expected = network.answer(images.slice(0, 0, 2));
    CHECK(check_plan(plan, workspace, images, expected, name) < 1e-5);
    // What is compared is the last exit.
    if (network.classifies)
      CHECK(plan.run(images.data<std::uint8_t>(), 5, workspace).exit[0] ==
            static_cast<int>(network.network->exit_count()) - 1);
    std::vector<float> other = expected;
    other.back() += 0.01F;
    CHECK_THROWS_SAYING(check_plan(plan, workspace, images, other, name), std::runtime_error,
                        "image 1 of 5: a value is off by");
  };
  for (const std::string& name : network_names()) agree(name, 1, 28);
  for (const char* name : {"lenet", "classifier"}) {
    agree(name, 2, 28);
    agree(name, 1, 56);
  }
  agree("autoencoder-mnist", 2, 28);
}

TEST_CASE("networks: the models of a run") {
  const testing::TempFolder folder;
  const auto save = [&](const char* kind, const BenchNetwork& from, double rescale) {
    ModelInfo info;
    info.model = kind;
    info.dataset = "fmnist";
    info.rescale = rescale;
    save_model(RunFolder(folder.path()).model_file(kind), *from.network, info);
  };
  const BenchNetwork lenet = make_network("lenet", 5);
  save("lenet", lenet, 1.0);
  save("autoencoder", make_network("autoencoder-fmnist", 6), 3.0);
  const Tensor images = noise_images(2, {1, 28, 28}, 2, 1);
  CHECK(load_network(folder.path(), "lenet").answer(images) == lenet.answer(images));
  const BenchNetwork autoencoder = load_network(folder.path(), "autoencoder");
  CHECK_FALSE(autoencoder.classifies);
  CHECK(autoencoder.rescale == 3.0);
  CHECK(autoencoder.answer(images).size() == 2 * 784);
  CHECK_THROWS_SAYING(load_network(folder.path(), "cbnet"), InputError, "cbnet.json");
}

TEST_CASE("networks: images of noise repeat") {
  const Tensor images = noise_images(5, {1, 3, 4}, 2, 1);
  CHECK(images.shape() == Shape{5, 1, 3, 4});
  const std::vector<int> all = images.to_vector<int>();
  for (std::size_t i = 24; i < 60; ++i) CHECK(all[i] == all[i - 24]);
  CHECK(std::vector<int>(all.begin(), all.begin() + 12) !=
        std::vector<int>(all.begin() + 12, all.begin() + 24));
  CHECK(noise_images(1, {1, 3, 4}, 64, 1).size(0) == 1);
}
