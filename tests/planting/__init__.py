"""The parts of the planted-leak generator (`leak_generator`): words, facts, rewritings, formats, near misses."""
