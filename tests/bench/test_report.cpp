#include <doctest/doctest.h>

#include <set>
#include <stdexcept>

#include "bench/report.h"
#include "tests/bench/support.h"

using namespace cbnet;
using namespace cbnet::bench;
using namespace cbnet::bench::testing;

TEST_CASE("report: no blocks, no summary") {
  CHECK_THROWS_AS(summarise_latency({}), std::invalid_argument);
  CHECK_THROWS_AS(summarise_energy({}), std::invalid_argument);
}

TEST_CASE("report: the mean is total time over images, the spread is over blocks") {
  // 100 images at 10 us, 300 at 14 us: 5200 us over 400 images.
  const LatencyUs t = summarise_latency({block_of(100, 10.0, 2.0), block_of(300, 14.0, 2.0)});
  CHECK(t.mean == doctest::Approx(13.0));
  CHECK(t.spread == doctest::Approx(2.0));
  CHECK(t.median == doctest::Approx(14.0));
  CHECK(t.p10 == doctest::Approx(10.0));
  CHECK(t.p99 == doctest::Approx(14.0));
}

TEST_CASE("report: a row is relative to LeNet in f32 in its engine and run") {
  Report report = report_of({row_of("lenet", 40.0, 2.0), row_of("lenet", 20.0, 2.0),
                             row_of("lenet", 100.0, 2.0), row_of("cbnet", 50.0, 2.0)});
  report.rows[0].precision = "int8";
  report.rows[2].engine = "eager";
  report.rows[3].engine = "eager";
  CHECK(speedup(report, report.rows[0]) == doctest::Approx(0.5));
  CHECK(speedup(report, report.rows[3]) == doctest::Approx(2.0));
  report.rows[3].run = "runs/b";
  CHECK_FALSE(speedup(report, report.rows[3]).has_value());
}

TEST_CASE("report: a row's title names what is not usual about it") {
  Row row = row_of("cbnet", 1.0, {});
  CHECK(title_of(row) == "cbnet");
  row.precision = "int8";
  row.sparsity = 0.504;
  CHECK(title_of(row) == "cbnet, int8, 50 % sparse");
  row = row_of("cbnet", 1.0, {});
  row.engine = "eager";
  CHECK(title_of(row) == "cbnet, eager");
}

TEST_CASE("report: joules are those of all windows over all images") {
  const EnergySummary e = summarise_energy({block_of(100, 10.0, 2.0), block_of(300, 14.0, 4.0)});
  REQUIRE(e.j_per_image);
  CHECK(*e.j_per_image == doctest::Approx((2.0 * 1000e-6 + 4.0 * 4200e-6) / 400));
  CHECK(e.kind == energy::Kind::modelled);
  CHECK(*e.power_w == doctest::Approx((2.0 * 1000 + 4.0 * 4200) / 5200));
  CHECK(e.label == "modelled (a test)");
}

TEST_CASE("report: without a model, or with one failed block, there are no joules rather than none") {
  const EnergySummary none = summarise_energy({block_of(100, 10.0, {})});
  CHECK_FALSE(none.j_per_image);
  CHECK_FALSE(none.kind);
  CHECK_FALSE(none.power_w);

  Block failed = block_of(100, 10.0, {});
  failed.energy.warning = "the sensor is gone";
  const EnergySummary partly = summarise_energy({block_of(100, 10.0, 2.0), failed, failed});
  CHECK_FALSE(partly.j_per_image);
  CHECK_FALSE(partly.kind);
  CHECK(partly.warnings == std::vector<std::string>{"the sensor is gone"});
}

TEST_CASE("report: a counter and the samples beside it keep their own joules and least coverage") {
  Block first = block_of(100, 10.0, 2.0);
  first.energy.kind = energy::Kind::counter;
  first.energy.coverage = 0.97;
  first.energy.sampled = energy::SampledEnergy{0.5, 1.0, "power"};
  Block second = first;
  second.energy.coverage = 0.98;
  second.energy.sampled = energy::SampledEnergy{0.3, 0.99, "power"};
  const EnergySummary both = summarise_energy({first, second});
  CHECK(both.kind == energy::Kind::counter);
  CHECK(*both.j_per_image == doctest::Approx(2.0 * 10e-6));
  CHECK(both.coverage == 0.97);
  CHECK(*both.sampled_j_per_image == doctest::Approx(0.8 / 200));
  CHECK(both.sampled_coverage == 0.99);
  CHECK(both.sampled_source == "power");
  // One block without samples' joules leaves none, and the counter's stay.
  second.energy.sampled->energy_j.reset();
  const EnergySummary one = summarise_energy({first, second});
  CHECK_FALSE(one.sampled_j_per_image);
  CHECK(one.j_per_image);
  CHECK_FALSE(summarise_energy({block_of(100, 10.0, 2.0)}).coverage);
  CHECK_FALSE(summarise_energy({block_of(100, 10.0, 2.0)}).sampled_coverage);
}

TEST_CASE("report: speed-up and savings are relative to the same run's LeNet") {
  Report report =
      report_of({row_of("lenet", 40.0, 2.0), row_of("cbnet", 20.0, 1.0), row_of("cbnet", 20.0, 1.0)});
  report.rows[2].run = "runs/b";
  CHECK(*speedup(report, report.rows[0]) == doctest::Approx(1.0));
  CHECK(*speedup(report, report.rows[1]) == doctest::Approx(2.0));
  CHECK(*energy_savings(report, report.rows[1]) == doctest::Approx(0.75));
  CHECK_FALSE(speedup(report, report.rows[2]));
  CHECK_FALSE(energy_savings(report, report.rows[2]));

  report.rows[1].energy.kind = energy::Kind::measured;
  CHECK_FALSE(energy_savings(report, report.rows[1]));
}

TEST_CASE("report: the record of this machine is filled in") {
  const HostRecord record = record_host();
  CHECK_FALSE(record.isa.empty());
  CHECK_FALSE(record.blas.empty());
  CHECK_FALSE(record.wait_policy.empty());
  CHECK(record.threads >= 1);
  const std::set<std::string> names{
      to_string(energy::Platform::raspberry_pi_4), to_string(energy::Platform::other_raspberry_pi),
      to_string(energy::Platform::google_compute_engine), to_string(energy::Platform::other)};
  CHECK(names.size() == 4);
}
