// Who calls something else than the others in one collective.
#pragma once

#include <string>
#include <vector>

#include "model/op.hpp"

namespace peerscope {

struct CallComparison {
  std::string
      clause;  // "Rank 2 called all_reduce 32 KB (32768 bytes), ranks 0 and 1 called ..."; "" none
  std::vector<int> odd;  // ranks in the minority; all of them where nobody can say who is wrong
  Op usual;              // of a rank that is not odd; of the first where all are
};

// Operations of one collective, one a rank.
CallComparison compare_calls(const std::vector<Op>& ranks);

}  // namespace peerscope
