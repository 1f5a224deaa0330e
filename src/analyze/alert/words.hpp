// An alert in words.
#pragma once

#include <string>

#include "analyze/alert/alert.hpp"
#include "analyze/alert/reading.hpp"
#include "analyze/alert/rule.hpp"

namespace peerscope {

std::string subject_text(const Subject& subject);  // "rank 1 -> 2 of tp"; "" about nothing alone
std::string figure_sentence(const Rule& rule, const TermReading& reading, double value);
std::string figure_action(const Rule& rule);  // the rule's own, else where to look
std::string rule_meaning(const Rule& rule);   // what it waits for, for people
Labels labels_of(const Rule& rule, const std::string& kind, const Alert& alert);

}  // namespace peerscope
