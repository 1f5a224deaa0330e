// Rows as curves over the size, and where one overtakes another.
#pragma once

#include <string>
#include <vector>

#include "suite/result.hpp"

namespace peerscope {

struct CurvePoint {
  double bytes = 0;
  const BenchRow* row = nullptr;
};
struct Curve {
  std::string backend, algorithm;
  std::vector<CurvePoint> points;  // by bytes, ascending
  [[nodiscard]] std::string name() const { return backend + " " + algorithm; }
};

// What one chart shows: an operation with type and ranks, a curve for each backend and algorithm.
struct CurveSet {
  std::string operation, dtype, redop;
  int ranks = 0;
  bool graph = false;
  std::vector<Curve> curves;
  [[nodiscard]] std::string title() const;
};
std::vector<CurveSet> curve_sets(const std::vector<BenchRow>& rows);  // the rows outlive them

struct Crossover {
  double bytes = 0;      // 0: the fastest from the beginning on
  std::string from, to;  // names of curves; `from` is empty at the beginning
};
// Who is fastest, size by size. It changes hands only where somebody is at least 3 % faster: noise
// is no crossover. Between two sizes both curves are straight lines in logarithms. Curves whose
// backend chooses the algorithm ("auto") take no part, unless all do.
std::vector<Crossover> crossovers(const CurveSet& set);

// "host direct is fastest up to 48 KB, then host ring." Empty if there is one curve only.
std::string fastest_sentence(const CurveSet& set);

}  // namespace peerscope
