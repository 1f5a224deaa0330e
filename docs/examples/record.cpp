// Records operations through the C++ header. Link with libpeerscope.so.
#include <cstdio>
#include <vector>

#include <peerscope/peerscope.hpp>

int main() {
  peerscope::Session session({.name = "trainer"});
  if (!session) std::fprintf(stderr, "nothing is recorded: %s\n", session.why());
  const peerscope::Comm tp = session.comm({.id = 42, .name = "tp", .rank = 0, .ranks = 1});
  std::vector<float> tensor(4096);
  for (int step = 0; step < 1000; ++step) {
    const peerscope::ScopedOp op(tp, PSCOPE_KIND_ALL_REDUCE, tensor.size() * sizeof(float));
    for (float& x : tensor) x += 1.0F;  // the work that is watched
  }  // ends here: ok, or error if an exception is on its way
  return session.stats().operations == 1000 ? 0 : 1;
}
