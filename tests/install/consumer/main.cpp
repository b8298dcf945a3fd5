// Only what a user of the installed package has: installed headers, and the library's code behind them.
#include <iostream>

#include "cbnet.h"

int main() {
  cbnet::Variable x(cbnet::Tensor::full({2, 3}, 2.0), true);
  cbnet::Variable loss = cbnet::sum(x);
  loss.backward();
  std::cout << "consumer: " << cbnet::sum(x.grad()).item() << "\n";
}
