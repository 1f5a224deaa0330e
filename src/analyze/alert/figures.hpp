// The table of figures: what each is called, counts in, and can be told apart by.
#pragma once

#include <span>
#include <string>

#include "analyze/alert/rule.hpp"
#include "base/result.hpp"

namespace peerscope {

struct FigureSpec {
  Figure figure;
  const char* name;
  Quantity quantity;
  bool adds_up;     // over rows; else the worst row speaks for all
  bool is_counter;  // only rises: rate() is taken over time
  std::uint16_t
      sources;  // bits of RowSource; the first that tells apart what is asked for is taken
  const char* help;
};

std::span<const FigureSpec> figures();
const FigureSpec& spec_of(Figure figure);
const FigureSpec* find_figure(std::string_view name);  // null: there is none

// Chooses the rows that the term is read from, and a window where they have one and none was given.
// The error says what cannot be told apart.
Status choose_source(Term& term);

std::string unit_of(Quantity quantity);                        // as in Alert::unit
std::string quantity_text(Quantity quantity, double value);    // for people
std::string term_text(const Term& term, Transform transform);  // "p99 (device, last 10 s)"

}  // namespace peerscope
