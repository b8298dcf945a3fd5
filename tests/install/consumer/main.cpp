// Only what a user of the installed package has: installed headers, and the library's code behind them.
#include <iostream>

#include "autograd/ops/sum.h"
#include "autograd/variable.h"
#include "tensor/tensor.h"

int main() {
  cbnet::Variable x(cbnet::Tensor::full({2, 3}, 2.0), true);
  cbnet::Variable loss = cbnet::sum(x);
  loss.backward();
  double slope = 0.0;
  for (const float value : x.grad().to_vector<float>()) slope += value;
  std::cout << "consumer: " << slope << "\n";
}
