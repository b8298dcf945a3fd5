#include "tensor/reference/functions.h"

namespace cbnet::reference {

void copy(const CopyCall& call) {
  dispatch(call.dtype, [&](auto to) {
    dispatch(call.source_dtype, [&](auto from) {
      // Values do not go by f64, which does not hold every i64.
      using To = decltype(to);
      using From = decltype(from);
      for_each(call.shape, [&](const Index& i) {
        static_cast<To*>(call.target)[at(i, call.target_strides)] =
            static_cast<To>(static_cast<const From*>(call.source)[at(i, call.source_strides)]);
      });
    });
  });
}

void fill(const FillCall& call) {
  Target target(call.target, call.dtype);
  for_each(call.shape, [&](const Index& i) { target.set(at(i, call.strides), call.value); });
}

void add_scaled(const AddScaledCall& call) {
  const Source source(call.source, call.dtype);
  Target target(call.target, call.dtype);
  for_each(call.shape, [&](const Index& i) {
    target.add(at(i, call.target_strides), call.alpha * source[at(i, call.source_strides)]);
  });
}

namespace {

/// Calls visit(where among the sizes, where among the picks).
template <class Visit>
void for_each_pick(const IndexCall& call, Visit visit) {
  const int64_t shape[] = {call.outer, call.picks, call.inner};
  for_each(shape, [&](const Index& i) {
    visit((i[0] * call.size + call.index[i[1]]) * call.inner + i[2],
          (i[0] * call.picks + i[1]) * call.inner + i[2]);
  });
}

}  // namespace

void index_select(const IndexCall& call) {
  const Source source(call.source, call.dtype);
  Target target(call.target, call.dtype);
  for_each_pick(call, [&](int64_t whole, int64_t picked) { target.set(picked, source[whole]); });
}

void index_add(const IndexCall& call) {
  const Source source(call.source, call.dtype);
  Target target(call.target, call.dtype);
  for_each_pick(call, [&](int64_t whole, int64_t picked) { target.add(whole, source[picked]); });
}

}  // namespace cbnet::reference
