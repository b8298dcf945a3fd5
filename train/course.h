#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cbnet {

// A course says how far a training went, apart from everything else that decides its bits: what a training of
// more epochs may go on from.

/// These epochs ran at the learning rates of a training of another length, as one that was lengthened has
/// them: those before epoch `until` (from 0) that an earlier entry does not cover, as in a training of `of`.
struct EarlierEpochs {
  std::int64_t until = 0, of = 0;
};

/// A fingerprint has that of the network that its model was made from under one of these keys: "branchynet"
/// or "network".
inline constexpr const char* kParentKeys[] = {"branchynet", "network"};

/// This is a fingerprint (see provenance.h) taken apart.
struct Course {
  std::string rest;    // all of it but the numbers of epochs
  std::string parent;  // the whole fingerprint of the network that it was made from; or empty
  std::int64_t epochs = 0;
  std::vector<EarlierEpochs> earlier;
};

/// Text that is not the JSON of a fingerprint is all `rest`.
Course course_of(const std::string& fingerprint);

/// Returns the fingerprint of a training whose first epochs were those; the same text when there are none.
std::string with_earlier(const std::string& fingerprint, const std::vector<EarlierEpochs>& earlier);

}  // namespace cbnet
