"""Writes what test_torch_models.cpp reads: networks as PyTorch exports them, with inputs and PyTorch's outputs.

    python3 make_torch_models.py FOLDER     (needs python3-torch)
"""

import json
import struct
import sys

import torch
from torch import nn


class LeNet(nn.Module):
    """The paper's baseline."""

    def __init__(self):
        super().__init__()
        layers = []
        for inputs, outputs in ((1, 5), (5, 10), (10, 20)):
            layers += [nn.Conv2d(inputs, outputs, 5, padding=3), nn.MaxPool2d(2, 2, ceil_mode=True), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(20 * 6 * 6, 84), nn.Linear(84, 10))

    def forward(self, x):
        return self.head(self.features(x))


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2),
            nn.Conv2d(outputs, outputs, 3, 1, 1, groups=2, bias=False), nn.BatchNorm2d(outputs, eps=1e-3))
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, x):
        return torch.relu(self.body(x) + self.shortcut(x))


class ResNet(nn.Module):
    """Every kind of layer that a small residual network has."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 3, padding=2, dilation=2), nn.MaxPool2d(3, 2, 1))
        self.blocks = nn.Sequential(Block(8, 8, 1), Block(8, 16, 2))
        self.pool = nn.AvgPool2d(3, 2, 1, count_include_pad=False)
        self.last = nn.AdaptiveAvgPool2d(1)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(32, 10)
        self.gain = nn.Parameter(torch.randn(16, 1, 1))

    def forward(self, x):
        x = self.pool(self.blocks(self.stem(x + -0.25)) * self.gain)
        both = torch.cat([torch.tanh(self.last(x)), torch.sigmoid(self.last(-1.0 * x))], 1)
        return torch.log_softmax(self.head(self.drop(torch.flatten(both, 1))), 1)


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, tensor in tensors.items():
        values = tensor.detach().contiguous()
        raw = values.numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + data)


def main(folder):
    for name, network in (("lenet", LeNet), ("resnet", ResNet)):
        torch.manual_seed(7)
        model = network()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):  # statistics and weights as after some training
                module.running_mean.normal_(0, 0.5)
                module.running_var.uniform_(0.5, 2.0)
                module.weight.data.uniform_(0.5, 1.5)
                module.bias.data.normal_(0, 0.3)
        model.eval()
        x = torch.rand(16, 1, 28, 28)
        path = f"{folder}/torch_{name}"
        # Preserved: the exporter would fold the batch normalisation into the convolutions and drop the dropout.
        torch.onnx.export(model, x[:2], path + ".onnx", opset_version=13, training=torch.onnx.TrainingMode.PRESERVE,
                          input_names=["image"], output_names=["scores"],
                          dynamic_axes={"image": {0: "batch"}, "scores": {0: "batch"}})
        write_safetensors(path + ".safetensors", {"x": x, "y": model(x)})
        print(path + ".onnx")


main(sys.argv[1])
