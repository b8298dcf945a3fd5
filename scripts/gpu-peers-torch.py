#!/usr/bin/env python3
"""PyTorch on the networks and weights of cbnet, on one GPU: answers first, then times.

Reads models as `cbnet train` writes them (safetensors whose metadata describe the network) and, for each, pixels and
logits as `cbnet predict --save-logits` writes them. Outputs must agree before anything is timed: a difference above
1e-3 ends with exit code 1, wrong usage or input with 2. Needs PyTorch alone; ONNX Runtime is timed where it is there.
"""

import argparse
import contextlib
import json
import statistics
import sys
import time

try:
    import torch
except ImportError as error:
    sys.exit(f"gpu-peers-torch: expected PyTorch for this python3; found none ({error}); hint: pip install torch")

from gpu_torch_models import Model, Refused, read_idx, read_safetensors
from gpu_torch_run import Runner, Training, synchronize

WAYS = ["eager", "graph", "compile", "compile-graph", "reduce-overhead", "max-autotune"]
PRECISIONS = ["f32", "tf32", "bf16"]
TOLERANCE = 1e-3
EPILOG = """ways:
  eager            op by op
  graph            captured in a CUDA graph, at small batches with both copies
  compile          torch.compile
  compile-graph    the same captured in a CUDA graph
  reduce-overhead  torch.compile with that mode, which makes CUDA graphs of its own
  max-autotune     the same with a search for the fastest kernels, which takes minutes

An image that BranchyNet does not let out early goes on: at batch 1 the host decides, of more images those that stay are
compacted. "fair" is from u8 pixels in page-locked memory to labels there, both copies included; "kernels" is calls back
to back from pixels on the device to labels there, where only the decision at batch 1 waits.

example:
  cbnet predict --run runs/fmnist --model lenet --save-logits lenet.logits 't10k-images-idx3-ubyte.gz#'{0..255}
  scripts/gpu-peers-torch.py --model lenet runs/fmnist/lenet.safetensors lenet.logits \\
    --model cbnet runs/fmnist/autoencoder.safetensors,runs/fmnist/classifier.safetensors cbnet.logits \\
    --train runs/fmnist/lenet.safetensors --json torch.json
"""


def summary(values):
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def time_calls(function, device, options):
    """Seconds of a call: the mean of each block of calls, of options.block_s or longer."""
    calls, warm_until = 0, time.perf_counter() + options.block_s / 2
    while calls < 10 or time.perf_counter() < warm_until:
        function(calls)
        calls += 1
    synchronize(device)
    blocks = []
    for _ in range(options.repeats):
        done, start = 0, time.perf_counter()
        while done < 10 or time.perf_counter() - start < options.block_s:
            for _ in range(10):
                function(done)
                done += 1
            if done % 100 == 0:
                synchronize(device)  # the queue stays short
        synchronize(device)
        blocks.append((time.perf_counter() - start) / done)
    return summary(blocks)


@contextlib.contextmanager
def precision_of(name):
    try:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = name == "tf32"
        yield torch.bfloat16 if name == "bf16" else torch.float32
    finally:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False


def largest_difference(outputs, expected, path):
    worst = 0.0
    for name, tensor in outputs.items():
        if name not in expected or expected[name].shape != tensor.shape:
            found = tuple(expected[name].shape) if name in expected else "none"
            raise Refused(f"{path}: expected {name} of {tuple(tensor.shape)}; found {found}")
        difference = (tensor.cpu() - expected[name]).abs().max().item()
        worst = max(worst, difference) if difference == difference else float("inf")
    return worst


def expected_of(path):
    _, expected = read_safetensors(path)
    if "pixels" not in expected:
        raise Refused(f"{path}: expected what `cbnet predict --save-logits` writes; found no pixels")
    return expected


def check(options, device, log):
    """Every model's outputs against those that cbnet wrote: the record, and whether all agree."""
    checks, agree = [], True
    for name, files, logits in options.model:
        expected = expected_of(logits)
        with precision_of("f32"), torch.inference_mode():
            outputs = Model(name, files.split(","), torch.float32, device).outputs(expected["pixels"].to(device))
        difference = largest_difference(outputs, expected, logits)
        checks.append({"model": name, "images": len(expected["pixels"]), "max_abs_difference": difference})
        agree = agree and difference <= TOLERANCE
        log(f"{name}: {len(expected['pixels'])} images, largest difference from cbnet {difference:.3g}, "
            f"{'ok' if difference <= TOLERANCE else f'above {TOLERANCE}'}")
    return checks, agree


def labels_of_eager(spec, images, batch, device):
    """The labels of each call of a Runner, op by op in f32."""
    with precision_of("f32") as dtype, torch.inference_mode():
        runner = Runner(Model(spec[0], spec[1].split(","), dtype, device), "eager", images, batch, device)
        labels = []
        for i in range(len(runner.calls)):
            runner.fair(i)
            labels.append(runner.labels.clone())
    return labels


def bench_model(spec, way, precision, batch, options, device):
    """The rows of one model, way, precision and batch."""
    name, files, logits = spec
    images = expected_of(logits)["pixels"]
    expected = labels_of_eager(spec, images, batch, device)
    # Inference mode spares op-by-op calls some work; torch.compile is at home without gradients.
    with precision_of(precision) as dtype, torch.inference_mode(way in ("eager", "graph")), torch.no_grad():
        runner = Runner(Model(name, files.split(","), dtype, device), way, images, batch, device)
        same = 0
        for i, labels in enumerate(expected):
            runner.fair(i)
            same += int((runner.labels == labels).sum())
            runner.kernels(i)
            if not torch.equal(runner.last.cpu(), runner.labels):
                raise Refused("expected the same labels with and without copies; found others")
        total = batch * len(runner.calls)
        # Rounding may decide a label or an exit, but of few images.
        if precision == "f32" and same < 0.99 * total:
            raise Refused(f"expected the labels of the eager way; found {total - same} others of {total}")
        rows = []
        for what in ("fair", "kernels"):
            seconds = time_calls(getattr(runner, what), device, options)
            rows.append({"model": name, "way": way, "precision": precision, "batch": batch, "what": what,
                         **{f"{key}_us": 1e6 * value / batch for key, value in seconds.items()},
                         "images_per_s": batch / seconds["median"], "same_labels": same / total})
    return rows


def bench_training(way, precision, data, options, device):
    with precision_of(precision):
        training = Training(options.train, *data, way, options, device)
        first = training.epoch()
        seconds = []
        for _ in range(options.repeats):
            synchronize(device)
            start = time.perf_counter()
            loss = training.epoch()
            seconds.append(time.perf_counter() - start)
    if not abs(loss) < float("inf"):
        raise Refused(f"expected a finite loss; found {loss}")
    return {"way": way, "precision": precision, "images": len(data[0]), "batch": options.train_batch,
            **{f"{key}_s": value for key, value in summary(seconds).items()}, "first_loss": first, "last_loss": loss}


def training_data(options, device):
    """u8 images and labels: of IDX files, or noise whose mean is its label."""
    if options.train_images:
        images, labels = read_idx(options.train_images, 3).unsqueeze(1), read_idx(options.train_labels, 1).long()
        if len(images) != len(labels):
            raise Refused(f"{options.train_labels}: expected {len(images)} labels; found {len(labels)}")
        return images.to(device), labels.to(device)
    torch.manual_seed(1)
    labels = torch.randint(0, 10, (options.train_count,))
    noise = torch.randint(0, 100, (options.train_count, 1, 28, 28)) + 15 * labels.reshape(-1, 1, 1, 1)
    return noise.to(torch.uint8).to(device), labels.to(device)


def onnx_runtime(spec, batches, options):
    """ONNX Runtime with its CUDA provider, from f32 pixels on the host to logits there."""
    try:
        import onnxruntime
    except ImportError:
        raise Refused("onnxruntime is not there for this python3") from None
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise Refused(f"onnxruntime {onnxruntime.__version__} has no CUDA provider")
    name, file, logits = spec
    expected = expected_of(logits)
    pixels = expected.pop("pixels").float() / 255
    session = onnxruntime.InferenceSession(file, providers=["CUDAExecutionProvider"])
    feed = session.get_inputs()[0].name
    found = torch.from_numpy(session.run(None, {feed: pixels.numpy()})[-1])
    last = max(key for key in expected if key.startswith("exits."))
    difference = largest_difference({last: found}, expected, logits)
    if difference > TOLERANCE:
        raise Refused(f"{file}: expected cbnet's logits; found a difference of {difference:.3g}")
    rows = []
    for batch in batches:
        array = pixels.repeat((batch + len(pixels) - 1) // len(pixels), 1, 1, 1)[:batch].numpy()
        seconds = time_calls(lambda _: session.run(None, {feed: array}), torch.device("cpu"), options)
        rows.append({"model": name, "way": "onnxruntime", "precision": "f32", "batch": batch, "what": "fair",
                     **{f"{key}_us": 1e6 * value / batch for key, value in seconds.items()},
                     "images_per_s": batch / seconds["median"], "max_abs_difference": difference})
    return rows


def describe(device):
    out = {"torch": torch.__version__, "python": sys.version.split()[0], "device": str(device)}
    if device.type == "cuda":
        out.update(gpu=torch.cuda.get_device_name(device), cuda=torch.version.cuda,
                   cudnn=torch.backends.cudnn.version())
    return out


def measure(options, device, record, log):
    def attempt(what, function, to):
        try:
            found = function()
        except Exception as error:  # what one way cannot do says so in its row, and the others go on
            reason = (str(error).strip() or repr(error)).splitlines()[0]
            record["not_measured"].append({**what, "reason": reason})
            log(f"not measured: {' '.join(str(value) for value in what.values())}: {reason}")
            return
        to.extend(found)
        for row in found:
            log(line_of(row))

    for spec in options.model:
        for precision in options.precision:
            for batch in options.batch:
                for way in options.ways:
                    what = {"model": spec[0], "way": way, "precision": precision, "batch": batch}
                    attempt(what, lambda: bench_model(spec, way, precision, batch, options, device), record["results"])
    for spec in options.onnx:
        attempt({"model": spec[0], "way": "onnxruntime"}, lambda: onnx_runtime(spec, options.batch, options),
                record["results"])
    if options.train:
        data = training_data(options, device)
        for precision in options.precision:
            for way in options.ways:
                if precision != "bf16":
                    attempt({"training": options.train, "way": way, "precision": precision},
                            lambda: [bench_training(way, precision, data, options, device)], record["training"])


def line_of(row):
    if "median_s" in row:
        return (f"{'training':14} {row['way']:16} {row['precision']:5} {row['batch']:6} {'epoch':8}"
                f"{1e3 * row['median_s']:12.2f} ms   {1e3 * row['low_s']:.2f} to {1e3 * row['high_s']:.2f}, "
                f"loss {row['first_loss']:.3f} to {row['last_loss']:.3f}")
    return (f"{row['model']:14} {row['way']:16} {row['precision']:5} {row['batch']:6} {row['what']:8}"
            f"{row['median_us']:12.3f} us   {row['low_us']:.3f} to {row['high_us']:.3f}, "
            f"{row['images_per_s']:,.0f} images/s")


def some_of(known):
    def parse(text):
        words = text.split(",")
        unknown = [word for word in words if word not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"expected some of {','.join(known)}; found {unknown[0]!r}")
        return words
    return parse


def positive(kind):
    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = 0
        if not 0 < value < 1e9:
            raise argparse.ArgumentTypeError(f"expected a number above 0; found {text!r}")
        return value
    return parse


def batches(text):
    return [positive(int)(word) for word in text.split(",")]


def parse_options():
    parser = argparse.ArgumentParser(prog="gpu-peers-torch.py", description=__doc__, epilog=EPILOG,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs=3, action="append", default=[], metavar=("NAME", "FILE[,FILE]", "LOGITS"),
                        help="a model, or an autoencoder and the classifier behind it, and what it answers")
    parser.add_argument("--onnx", nargs=3, action="append", default=[], metavar=("NAME", "FILE", "LOGITS"),
                        help="a model for ONNX Runtime, as `cbnet export` writes it")
    parser.add_argument("--train", metavar="FILE", help="a model without side exits, to train anew")
    parser.add_argument("--train-images", metavar="IDX", help="images to train on (default: noise)")
    parser.add_argument("--train-labels", metavar="IDX", help="their labels")
    parser.add_argument("--train-count", type=positive(int), default=60000, help="images of noise (60000)")
    parser.add_argument("--train-batch", type=positive(int), default=512, help="images of a step (512)")
    parser.add_argument("--ways", type=some_of(WAYS), default=WAYS[:5], help=f"of {','.join(WAYS)}; all but the last")
    parser.add_argument("--precision", type=some_of(PRECISIONS), default=["f32", "tf32"], help="f32,tf32; bf16")
    parser.add_argument("--batch", type=batches, default=[1, 4096], help="images of a call (1,4096)")
    parser.add_argument("--repeats", type=positive(int), default=5, help="blocks, and epochs (5)")
    parser.add_argument("--block-s", type=positive(float), default=0.2, help="least seconds of a block (0.2)")
    parser.add_argument("--device", default="cuda", help="cuda (default), cuda:N, or cpu to try the script")
    parser.add_argument("--json", metavar="FILE", help="the record")
    options = parser.parse_args()
    if not options.model and not options.train:
        parser.error("expected --model or --train; found neither")
    if bool(options.train_images) != bool(options.train_labels):
        parser.error("--train-images and --train-labels belong together")
    return options


def main():
    options = parse_options()
    try:
        device = torch.device(options.device)
    except RuntimeError:
        raise Refused(f"--device: expected cuda, cuda:N or cpu; found {options.device!r}") from None
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise Refused(f"expected a GPU that PyTorch {torch.__version__} can use; found none; hint: --device cpu")
        torch.cuda.set_device(device.index or 0)
        torch.backends.cudnn.benchmark = True
    record = {"schema": "cbnet-gpu-peers-torch/1", **describe(device), "repeats": options.repeats,
              "block_s": options.block_s, "checks": [], "results": [], "training": [], "not_measured": []}

    def log(text):
        print(text, flush=True)

    log(", ".join(f"{key} {value}" for key, value in describe(device).items()))
    record["checks"], agree = check(options, device, log)
    if agree:
        measure(options, device, record, log)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(record, file, indent=1)
            file.write("\n")
    return 0 if agree else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Refused, OSError) as error:
        print(f"gpu-peers-torch: {error}", file=sys.stderr)
        sys.exit(2)
