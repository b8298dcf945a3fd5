# Makes docs/conformance.md of build/conformance/*.tsv: rows of a table's name, a row's name and numbers. Fields are
# separated by tabs; the name of the file is that of the part that was run.

function number(x) { return x == "" ? "-" : x == 0 ? "0" : sprintf("%.1e", x) }
function count(x,    out) {  # 1234567 -> 1,234,567
  out = sprintf("%d", x)
  while (match(out, /^[0-9]+[0-9][0-9][0-9](,|$)/)) {
    match(out, /^[0-9]+/)
    out = substr(out, 1, RLENGTH - 3) "," substr(out, RLENGTH - 2)
  }
  return out
}
function larger(a, b) { return a == "" || b + 0 > a + 0 ? b : a }
function percent(part, whole) { return whole ? sprintf("%.1f", 100 * part / whole) : "-" }
function line(text) { print text }

FNR == 1 { part = FILENAME; sub(/.*\//, "", part); sub(/\.tsv$/, "", part); parts[++part_count] = part }

$1 == "run" { commit[part] = $2; seconds[part] = $3; status[part] = $4 }
$1 == "suite" { total[part] = $2; failed[part] = $3; skipped[part] = $4 }
$1 == "version" && part == "release" { versions[++version_count] = $2 " " $3 }
$1 == "coverage" { covered[++file_count] = $2; all[$2] = $3; run[$2] = $4; missed[$2] = $5 }
$1 == "coverage_absent" { absent = absent (absent == "" ? "" : ", ") "`" $2 "`" }
$1 == "fuzz" { if (!($2 in executed)) targets[++target_count] = $2; executed[$2] = $3; elapsed[$2] = $4; broken[$2] = $5; fuzzed[$2] = $6 }
part != "release" { next }

$1 == "gradcheck" { samples[$2] = $3; worst[$2] = larger(worst[$2], $4) }
$1 == "torch" { ops[++op_count] = $2; configs[$2] = $3; for (i = 4; i <= 7; ++i) torch[$2, i] = $i }
$1 ~ /^parity\./ {
  isa = substr($1, 8)
  if (!(isa in seen)) { seen[isa] = 1; isas = isas (isas == "" ? "" : ", ") isa }
  parity[$2] = parity[$2] (parity[$2] == "" ? "" : ", ") isa
  parity_configs[$2] = larger(parity_configs[$2], $3)
  narrow[$2] = larger(narrow[$2], $4)
  wide[$2] = larger(wide[$2], $5)
}
$1 == "torch_steps" { steps[++step_count] = $2; step_narrow[$2] = $3; step_wide[$2] = $4 }
$1 == "torch_curves" { curves[++curve_count] = $2; curve_narrow[$2] = $3; curve_wide[$2] = $4 }
$1 == "onnx_export" {
  key = $2 "\t" $3
  if (!(key in batches)) { exports[++export_count] = key; dataset[key] = $2; model[key] = $3; labels[key] = exits[key] = "" }
  batches[key] = batches[key] (batches[key] == "" ? "" : ", ") count($4)
  images[key] = larger(images[key], $5)
  difference[key] = larger(difference[key], $6)
  # The worst batch size: the fewest equal labels and exits, the most ties.
  if (NF >= 7 && (labels[key] == "" || $7 < labels[key])) labels[key] = $7
  if (NF >= 8 && (exits[key] == "" || $8 < exits[key])) { exits[key] = $8; ties[key] = $9 }
}
$1 == "onnx_import" { imports[++import_count] = $2; import_images[$2] = $3; import_error[$2] = $4; import_change[$2] = $5 }
$1 == "onnx_torch_again" { again[$2] = $4 }
$1 == "onnx_round_trip" { trips[++trip_count] = $2; trip_change[$2] = $4 }
$1 == "valgrind" { runs[++valgrind_count] = $2; for (i = 3; i <= 6; ++i) lost[$2, i] = $i }

END {
  line("# Conformance\n")
  line("Made by `scripts/conformance` from what the tests measured as they ran; nothing here is typed. Errors are relative to")
  line("the largest element of the reference; `docs/ops.md` has every op's contract and what is allowed. \"-\" is not measured.\n")
  for (i = 1; i <= version_count; ++i) text = text (i > 1 ? "; " : "") versions[i]
  line(text ".\n")
  line("| part | command | commit | seconds | tests | failed | skipped |\n|---|---|---|---:|---:|---:|---|")
  command["release"] = "scripts/test --torch --onnx --full"
  command["asan-ubsan"] = "scripts/test --preset asan-ubsan --onnx"
  command["tsan"] = "scripts/test --preset tsan --onnx"
  command["coverage"] = "scripts/coverage"
  command["fuzz"] = "scripts/fuzz"
  for (i = 1; i <= part_count; ++i) {
    part = parts[i]
    result = part in total ? count(total[part]) " | " failed[part] " | " (skipped[part] == "" ? "none" : skipped[part]) \
                           : "- | " (status[part] == 0 ? "0" : "yes") " | -"
    line("| " part " | `" command[part] "` | " commit[part] " | " count(seconds[part]) " | " result " |")
  }

  line("\n## Ops\n")
  line("*Gradcheck*: f64, a random cotangent, every input, central differences; the worst over the op's samples. *LibTorch*:")
  line("random configurations, contiguous, transposed and strided by turns, forward and backward (the gradients). *Naive loops*:")
  line("the reference backend in f64 (`tensor/reference`); sizes 1 to 1,000, 1 to 3 threads, the worst over the ISAs.\n")
  line("| op | gradcheck samples | worst | LibTorch configs | f32 forward | f32 backward | f64 forward | f64 backward | reference configs | f32 | f64 | ISAs in parity |")
  line("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|")
  for (i = 1; i <= op_count; ++i) {
    op = ops[i]
    line("| " op " | " (op in samples ? samples[op] : "-") " | " number(worst[op]) " | " configs[op] " | " number(torch[op, 4]) " | " \
         number(torch[op, 5]) " | " number(torch[op, 6]) " | " number(torch[op, 7]) " | " parity_configs[op] " | " \
         number(narrow[op]) " | " number(wide[op]) " | " parity[op] " |")
  }
  line("\n| 50 steps from the same weights, against LibTorch's | worst weight, f32 | f64 |\n|---|---:|---:|")
  for (i = 1; i <= step_count; ++i) line("| " steps[i] " | " number(step_narrow[steps[i]]) " | " number(step_wide[steps[i]]) " |")
  line("\n| 100 steps of training, same weights and batches | worst loss, f32 | f64 |\n|---|---:|---:|")
  for (i = 1; i <= curve_count; ++i) line("| " curves[i] " | " number(curve_narrow[curves[i]]) " | " number(curve_wide[curves[i]]) " |")

  line("\n## Models in and out\n")
  line("Exported by `cbnet export`, which writes nothing that the ONNX checker and its shape inference refuse, and run in ONNX")
  line("Runtime on test images; the worst over the batch sizes. *Ties* are images that exit elsewhere because their entropy is")
  line("within 1e-5 of the threshold.\n")
  line("| trained on | model | batches | images | labels equal | largest difference | exits equal | ties |")
  line("|---|---|---|---:|---:|---:|---:|---:|")
  for (i = 1; i <= export_count; ++i) {
    key = exports[i]
    line("| " dataset[key] " | " model[key] " | " batches[key] " | " count(images[key]) " | " (labels[key] == "" ? "-" : count(labels[key])) \
         " | " number(difference[key]) " | " (exits[key] == "" ? "- | -" : count(exits[key]) " | " ties[key]) " |")
  }
  line("\nExported and imported again, the largest change of an output:")
  for (i = 1; i <= trip_count; ++i) list = list (i > 1 ? "; " : "") trips[i] " " number(trip_change[trips[i]])
  line(list ".\n")
  line("| from PyTorch | inputs | imported, against PyTorch's outputs | exported and imported again, change | exported, in ONNX Runtime |")
  line("|---|---:|---:|---:|---:|")
  for (i = 1; i <= import_count; ++i) {
    name = imports[i]
    line("| " name " | " import_images[name] " | " number(import_error[name]) " | " number(import_change[name]) " | " number(again[name]) " |")
  }

  line("\n## Hostile input\n")
  line("libFuzzer with the address and undefined-behaviour sanitizers, from `tests/fuzz/corpus`.\n")
  line("| target | executions | seconds | found | commit |\n|---|---:|---:|---|---|")
  for (i = 1; i <= target_count; ++i) {
    target = targets[i]
    line("| " target " | " count(executed[target]) " | " count(elapsed[target]) " | " (broken[target] == 0 ? "nothing" : "a fault") " | " fuzzed[target] " |")
  }
  line("\n| under valgrind | errors | bytes definitely lost | indirectly | possibly |\n|---|---:|---:|---:|---:|")
  for (i = 1; i <= valgrind_count; ++i)
    line("| " runs[i] " | " lost[runs[i], 3] " | " lost[runs[i], 4] " | " lost[runs[i], 5] " | " lost[runs[i], 6] " |")
  line("\nA race planted in a loop of `tensor/parallel.h` is found by the thread sanitizer, which a test checks.")

  line("\n## Coverage\n")
  line("Lines of the library that `scripts/coverage` saw run.\n")
  line("| room | lines | run | % |\n|---|---:|---:|---:|")
  for (i = 1; i <= file_count; ++i) {
    split(covered[i], path, "/")
    if (!(path[1] in room_all)) rooms[++room_count] = path[1]
    room_all[path[1]] += all[covered[i]]; room_run[path[1]] += run[covered[i]]
    whole += all[covered[i]]; part_run += run[covered[i]]
  }
  for (i = 1; i <= room_count; ++i)
    line("| " rooms[i] "/ | " count(room_all[rooms[i]]) " | " count(room_run[rooms[i]]) " | " percent(room_run[rooms[i]], room_all[rooms[i]]) " |")
  line("| all | " count(whole) " | " count(part_run) " | " percent(part_run, whole) " |")
  line("\nNot compiled on this machine: " (absent == "" ? "nothing" : absent) ".\n")
  line("| file | % | lines that no test runs |\n|---|---:|---|")
  for (i = 1; i <= file_count; ++i) {
    file = covered[i]
    if (missed[file] != "") line("| `" file "` | " percent(run[file], all[file]) " | " missed[file] " |")
  }
}
