# Reads ptxas' report (-Xptxas -v), names demangled, and prints a line a kernel of the architecture `shown`, or of all
# for "any": name, registers, bytes of shared memory, bytes spilled.
/Compiling entry function/ {
  name = $0
  sub(/.*Compiling entry function '/, "", name)
  architecture = name
  sub(/.*' for '/, "", architecture)
  sub(/'.*/, "", architecture)
  sub(/' for '.*/, "", name)
  gsub(/cbnet::cuda::/, "", name)
  gsub(/\(anonymous namespace\)::/, "", name)
  gsub(/_GLOBAL__N__[0-9a-zA-Z_]*::/, "", name)
  sub(/^void /, "", name)
  sub(/\(.*/, "", name)
  spilled = 0
}
/bytes spill stores/ {
  for (i = 1; i <= NF; ++i) if ($(i + 2) == "spill") spilled += $i
}
/Used [0-9]+ registers/ {
  registers = shared = 0
  for (i = 1; i <= NF; ++i) {
    if ($i == "Used") registers = $(i + 1)
    if ($(i + 2) ~ /^smem/) shared = $i
  }
  if (shown == "any") name = name " on " architecture
  if (shown == "any" || architecture == shown) printf "%s\t%d\t%d\t%d\n", name, registers, shared, spilled
}
