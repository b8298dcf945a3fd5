#include "tensor/cpu/kernels/adam.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "tensor/cpu/isa.h"
#include "tensor/cpu/kernels/isa_table.h"

using namespace cbnet;

TEST_CASE_TEMPLATE("adam: every ISA and every tail of vectors, against the formula in f64", T, float,
                   double) {
  kernels::AdamStep<T> step{};
  step.beta1 = T(0.9);
  step.beta2 = T(0.99);
  step.eps = T(1e-3);
  step.step_size = T(0.1);
  step.inverse_root2 = T(2);
  step.l2 = T(0.25);
  step.shrink = T(0.125);
  // A few roundings of numbers near 1.
  const double tolerance = sizeof(T) == 4 ? 1e-6 : 1e-15;
  for (const Isa isa : available_isas()) {
    for (std::size_t count = 0; count <= 40; ++count) {
      std::vector<T> g, w, m, v;
      for (std::size_t i = 0; i <= count; ++i) {  // one more than asked for
        g.push_back(static_cast<T>(std::sin(i)));
        w.push_back(static_cast<T>(std::cos(i)));
        m.push_back(static_cast<T>(0.1 * std::sin(3.0 * static_cast<double>(i))));
        v.push_back(static_cast<T>(0.01 * static_cast<double>(i)));
      }
      const std::vector<T> w0 = w, m0 = m, v0 = v;
      kernels::isa_table<T>(isa).adam(step, g.data(), w.data(), m.data(), v.data(),
                                      static_cast<std::int64_t>(count));
      double worst = 0.0;
      for (std::size_t i = 0; i < count; ++i) {
        const double slope = double(g[i]) + double(step.l2) * double(w0[i]);
        const double m1 = double(step.beta1) * double(m0[i]) + (1 - double(step.beta1)) * slope;
        const double v1 = double(step.beta2) * double(v0[i]) + (1 - double(step.beta2)) * slope * slope;
        const double root = std::sqrt(v1) * double(step.inverse_root2) + double(step.eps);
        const double w1 =
            double(w0[i]) - double(step.shrink) * double(w0[i]) - double(step.step_size) * m1 / root;
        for (const double error : {double(m[i]) - m1, double(v[i]) - v1, double(w[i]) - w1}) {
          if (!(std::abs(error) <= worst)) worst = std::abs(error);
        }
      }
      CHECK_MESSAGE(worst <= tolerance, to_string(isa) << ", " << count << " elements: " << worst);
      CHECK((w[count] == w0[count] && m[count] == m0[count] && v[count] == v0[count]));
    }
  }
}
