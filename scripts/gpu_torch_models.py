"""The files and networks of cbnet as PyTorch has them, for gpu-peers-torch.py."""

import gzip
import json
import struct

import torch
from torch import nn

DTYPES = {"F32": torch.float32, "F64": torch.float64, "U8": torch.uint8, "I32": torch.int32, "I64": torch.int64}


class Refused(Exception):
    """Wrong usage or input: one line, exit code 2."""


def read_safetensors(path):
    """The metadata and the tensors of a file: 8 bytes of header size, a JSON header, then the bytes."""
    try:
        with open(path, "rb") as file:
            data = bytearray(file.read())
        size = struct.unpack_from("<Q", data)[0]
        header = json.loads(data[8 : 8 + size].decode())
        metadata = header.pop("__metadata__", {})
        tensors = {}
        for name, entry in header.items():
            begin, end = (8 + size + offset for offset in entry["data_offsets"])
            flat = torch.frombuffer(data[begin:end], dtype=DTYPES[entry["dtype"]])
            tensors[name] = flat.reshape(entry["shape"]).clone()
    except OSError as error:
        raise Refused(f"{path}: expected a safetensors file; found {error.strerror}") from error
    except (KeyError, RuntimeError, UnicodeDecodeError, ValueError, struct.error) as error:
        raise Refused(f"{path}: expected a safetensors file of f32, f64, u8, i32 or i64; found {error!r}") from error
    return metadata, tensors


def read_idx(path, axes):
    """A u8 tensor of an IDX file, gzipped or not."""
    try:
        with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
            data = bytearray(file.read())
        magic, *shape = struct.unpack_from(f">{axes + 1}I", data)
        if magic != 0x800 + axes or len(data) != 4 * (axes + 1) + torch.Size(shape).numel():
            raise ValueError(f"magic number {magic:#x} and {len(data)} bytes")
    except (OSError, EOFError, ValueError, struct.error) as error:
        raise Refused(f"{path}: expected {axes} axes of u8 in an IDX file; found {error}") from error
    return torch.frombuffer(data, dtype=torch.uint8, offset=4 * (axes + 1)).reshape(shape).clone()


class Residual(nn.Module):
    def __init__(self, body, shortcut):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


def padded(layer):
    padding = layer.get("padding", 0)
    if isinstance(padding, list) and len(padding) == 4:
        raise Refused(f"{layer['kind']}: expected equal padding on opposite sides; found {padding}")
    return padding


def make_layer(layer, prefix, tensors):
    """The torch module of one layer; sizes of inputs are those of its weights."""
    kind = layer["kind"]
    weight = tensors.get(prefix + "weight")
    if kind in ("conv2d", "linear", "batch_norm") and weight is None:
        raise Refused(f"expected the weight {prefix}weight; found none in the file")
    if kind == "conv2d":
        groups = layer.get("groups", 1)
        return nn.Conv2d(weight.shape[1] * groups, layer["out"], layer.get("kernel_size", 1), layer.get("stride", 1),
                         padded(layer), layer.get("dilation", 1), groups, layer.get("bias", True))
    if kind == "linear":
        return nn.Linear(weight.shape[1], layer["out"], layer.get("bias", True))
    if kind == "max_pool2d":
        return nn.MaxPool2d(layer.get("kernel_size", 1), layer.get("stride", 1), padded(layer),
                            layer.get("dilation", 1), ceil_mode=layer.get("ceil_mode", False))
    if kind == "batch_norm":
        return nn.BatchNorm2d(weight.shape[0], layer.get("epsilon", 1e-5))
    if kind == "residual":
        return Residual(make_layers(layer.get("body", []), prefix + "body.", tensors),
                        make_layers(layer.get("shortcut", []), prefix + "shortcut.", tensors))
    simple = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "flatten": nn.Flatten,
              "global_avg_pool2d": lambda: nn.AdaptiveAvgPool2d(1), "softmax": lambda: nn.Softmax(-1),
              "dropout": lambda: nn.Dropout(layer.get("p", 0.0))}
    if kind not in simple:
        raise Refused(f"expected layers that this script knows; found {kind}")
    return simple[kind]()


def make_layers(layers, prefix, tensors):
    if any("inputs" in layer for layer in layers):
        raise Refused("expected layers one behind the other; found one with inputs of its own")
    return nn.Sequential(*[make_layer(layer, f"{prefix}{i}.", tensors) for i, layer in enumerate(layers)])


class Network(nn.Module):
    """A trunk and side exits along it, under the names of the file's tensors."""

    def __init__(self, path):
        super().__init__()
        metadata, tensors = read_safetensors(path)
        if "cbnet.network" not in metadata:
            raise Refused(f"{path}: expected a model that cbnet wrote; found no metadata 'cbnet.network'")
        # Files of cbnet 0.1 may have a normalisation's weights by these names.
        older = {"gamma": "weight", "beta": "bias"}
        tensors = {".".join([*name.split(".")[:-1], older.get(last, last)]): tensor
                   for name, last, tensor in ((name, name.split(".")[-1], tensor) for name, tensor in tensors.items())}
        spec = json.loads(metadata["cbnet.network"])
        self.trunk = make_layers(spec["trunk"], "trunk.", tensors)
        self.exits = nn.ModuleList(
            make_layers(side["branch"], f"exits.{e}.", tensors) for e, side in enumerate(spec["exits"]))
        self.after = [side["after"] for side in spec["exits"]]
        self.thresholds = json.loads(metadata["cbnet.thresholds"])
        self.rescale = json.loads(metadata["cbnet.rescale"])
        text = metadata["cbnet.normalisation"]
        self.shift, self.factor = None, None
        if text != "pixels / 255":
            numbers = json.loads(text)
            self.shift = nn.Parameter(-torch.tensor(numbers["mean"]).reshape(-1, 1, 1), False)
            self.factor = nn.Parameter(1 / torch.tensor(numbers["deviation"]).reshape(-1, 1, 1), False)
        found = self.load_state_dict(tensors, strict=False)
        missing = [name for name in found.missing_keys
                   if not name.endswith("num_batches_tracked") and name not in ("shift", "factor")]
        if missing or found.unexpected_keys:
            raise Refused(f"{path}: expected the weights of its network; missing {missing}, "
                          f"unexpected {found.unexpected_keys}")
        self.eval().requires_grad_(False)

    def normalised(self, pixels):
        return pixels if self.shift is None else (pixels + self.shift) * self.factor

    def forward_exits(self, x):
        outputs, done = [], 0
        for after, branch in zip(self.after, self.exits):
            x, done = self.trunk[done:after](x), after
            outputs.append(branch(x))
        return outputs + [self.trunk[done:](x)]


class Prepare(nn.Module):
    """u8 pixels -> what a classifier reads, through an autoencoder where there is one."""

    def __init__(self, autoencoder, classifier, dtype):
        super().__init__()
        self.autoencoder, self.classifier, self.dtype = autoencoder, classifier, dtype

    def converted(self, images):
        pixels = images.to(self.dtype) / 255
        if self.autoencoder is None:
            return pixels
        out = self.autoencoder.trunk(self.autoencoder.normalised(pixels)).reshape(pixels.shape)
        return out if self.autoencoder.rescale == 1 else (out * self.autoencoder.rescale).clamp(max=1)

    def forward(self, images):
        return self.classifier.normalised(self.converted(images))


class Part(nn.Module):
    """Layers up to an exit -> the labels, -1 for an image that goes on, and what the next part reads of it."""

    def __init__(self, prepare, body, branch=None, threshold=0.0):
        super().__init__()
        self.prepare, self.body, self.branch, self.threshold = prepare, body, branch, threshold

    def forward(self, x):
        x = self.body(x if self.prepare is None else self.prepare(x))
        if self.branch is None:
            return x.argmax(1), None
        log_p = self.branch(x).float().log_softmax(1)
        entropy = -(log_p.exp() * log_p).sum(1)
        return torch.where(entropy < self.threshold, log_p.argmax(1), -1), x


class Model:
    """A classifier with at most one side exit, behind an autoencoder where there are two files."""

    def __init__(self, name, paths, dtype, device):
        self.name = name
        networks = [Network(path).to(device=device, dtype=dtype) for path in paths]
        self.classifier = networks[-1]
        trunk, exits, after = self.classifier.trunk, self.classifier.exits, self.classifier.after
        if len(paths) > 2 or len(exits) > 1 or len(self.classifier.thresholds) != len(exits):
            raise Refused(f"{name}: expected a network of at most one side exit, and its threshold, or an autoencoder "
                          f"before it; found {len(paths)} files and {len(exits)} side exits")
        self.prepare = Prepare(networks[0] if len(paths) == 2 else None, self.classifier, dtype).eval()
        if exits:
            self.parts = [Part(self.prepare, trunk[: after[0]], exits[0], self.classifier.thresholds[0]),
                          Part(None, trunk[after[0] :])]
        else:
            self.parts = [Part(self.prepare, trunk)]
        for part in self.parts:
            part.eval()

    def outputs(self, images):
        """Every output by the name that the file of expected logits has for it."""
        pixels = self.prepare.converted(images)
        logits = self.classifier.forward_exits(self.classifier.normalised(pixels))
        out = {f"exits.{e}": tensor.float() for e, tensor in enumerate(logits)}
        return out if self.prepare.autoencoder is None else {**out, "converted": pixels.float()}
