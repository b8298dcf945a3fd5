"""Ways to run and to train a network by PyTorch, for gpu-peers-torch.py."""

import ctypes

import torch
from torch import nn

from gpu_torch_models import Network, Refused


class Captured:
    """A function of tensors at fixed places, captured in a CUDA graph. Outputs are overwritten by the next call."""

    def __init__(self, function, *inputs):
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                function(*inputs)
        torch.cuda.current_stream().wait_stream(stream)
        torch.cuda.synchronize()
        self.inputs = inputs  # keeps their memory
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.outputs = function(*inputs)

    def __call__(self):
        self.graph.replay()
        return self.outputs


def require_way(way, device):
    if "graph" in way and device.type != "cuda":
        raise Refused("CUDA graphs need a GPU")
    if way not in ("eager", "graph") and not hasattr(torch, "compile"):
        raise Refused(f"PyTorch {torch.__version__} has no torch.compile")


def compiled(function, way):
    """The function as torch.compile makes it where the way says so; a graph is captured later."""
    if way in ("eager", "graph"):
        return function
    mode = "default" if way in ("compile", "compile-graph") else way
    torch.compiler.reset()  # one function is compiled for so many networks and no more
    return torch.compile(function, mode=mode, dynamic=False, fullgraph=True)


def begin_step(way):
    """Tells the modes that make CUDA graphs of their own that what the last step returned is no longer needed."""
    if way in ("reduce-overhead", "max-autotune"):
        torch.compiler.cudagraph_mark_step_begin()


def synchronize(device):
    if device.type == "cuda":
        torch.cuda.synchronize()


def page_locked(tensor, device):
    """A copy of its own in memory that the GPU reads without help from the host."""
    copy = tensor.clone()
    return copy.pin_memory() if device.type == "cuda" else copy


class Runner:
    """A model in one way, for calls of `batch` images."""

    LARGEST_CAPTURED_COPY = 1 << 16  # bytes; above, another copy on the host costs more than a launch

    def __init__(self, model, way, images, batch, device):
        require_way(way, device)
        self.device, self.batch, self.way = device, batch, way
        self.captures = way in ("graph", "compile-graph")
        self.parts = [compiled(part, way) for part in model.parts]
        count = max(1, min(len(images), 256) // batch)
        repeats = (batch * count + len(images) - 1) // len(images)
        rows = images.repeat(repeats, 1, 1, 1)[: batch * count]
        self.calls = [page_locked(rows[i * batch : (i + 1) * batch], device) for i in range(count)]
        self.on_device = [call.to(device) for call in self.calls]
        self.input = self.on_device[0].clone()
        self.staged = page_locked(self.calls[0], device)
        # Asking for an address takes as long as a small copy.
        self.sources = [call.data_ptr() for call in self.calls]
        self.target, self.call_bytes = self.staged.data_ptr(), self.staged.numel()
        self.labels = page_locked(torch.zeros(batch, dtype=torch.int64), device)
        self.first_label = ctypes.c_int64.from_address(self.labels.data_ptr())
        self.last = None  # the labels of the last call without copies, on the device
        self.rest_graphs = {}
        self.copies_too = self.captures and self.staged.numel() <= self.LARGEST_CAPTURED_COPY
        if self.captures:
            self.first = Captured(self.parts[0], self.input)
        if self.copies_too:
            self.with_copies = Captured(self._first_with_copies)

    def _first_with_copies(self):
        self.input.copy_(self.staged, non_blocking=True)
        answer, features = self.parts[0](self.input)
        self.labels.copy_(answer, non_blocking=True)
        return answer, features

    def _rest(self, rows, features):
        """The labels of rows of `features`; all of them where `rows` is None."""
        if not self.captures:
            return self.parts[1](features if rows is None else features.index_select(0, rows))[0]
        key = (features.data_ptr(), None if rows is None else len(rows))
        if key not in self.rest_graphs:
            place = features if rows is None else features.index_select(0, rows)
            self.rest_graphs[key] = (place, Captured(self.parts[1], place))
        place, graph = self.rest_graphs[key]
        if rows is not None:
            torch.index_select(features, 0, rows, out=place)
        return graph()[0]

    def _go_on(self, answer, features):
        if self.batch == 1:
            return self._rest(None, features)
        rows = (answer < 0).nonzero().squeeze(1)
        if len(rows) == 0:
            return answer
        return answer.index_copy(0, rows, self._rest(rows, features))

    def fair(self, i):
        """From pixels in page-locked memory to labels there."""
        begin_step(self.way)
        i %= len(self.calls)
        if self.copies_too:
            ctypes.memmove(self.target, self.sources[i], self.call_bytes)
            answer, features = self.with_copies()
        else:
            self.input.copy_(self.calls[i], non_blocking=True)
            answer, features = self.first() if self.captures else self.parts[0](self.input)
            if self.batch == 1 or len(self.parts) == 1:
                self.labels.copy_(answer, non_blocking=True)
        if len(self.parts) == 2 and self.batch == 1:
            synchronize(self.device)
            if self.first_label.value >= 0:
                return
        if len(self.parts) == 2:
            self.labels.copy_(self._go_on(answer, features), non_blocking=True)
        synchronize(self.device)

    def kernels(self, i):
        """From pixels on the device to labels there; of a graph without exits, the same pixels again and again."""
        begin_step(self.way)
        pixels = self.on_device[i % len(self.calls)]
        if self.captures:
            if len(self.parts) == 2:
                self.input.copy_(pixels)
            answer, features = self.first()
        else:
            answer, features = self.parts[0](pixels)
        if len(self.parts) == 2 and (self.batch > 1 or int(answer[0]) < 0):
            answer = self._go_on(answer, features)
        self.last = answer


class Training:
    """A network on images that lie on the device: gather, forward, cross entropy, backward, Adam."""

    def __init__(self, path, images, labels, way, options, device):
        require_way(way, device)
        self.images, self.labels, self.batch = images, labels, options.train_batch
        self.way, self.device = way, device
        torch.manual_seed(1)
        self.network = Network(path).to(device).requires_grad_(True).train()
        for module in self.network.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
        extra = {"capturable": True, "fused": True} if device.type == "cuda" else {}
        self.optimizer = torch.optim.Adam(self.network.trunk.parameters(), lr=1e-3, **extra)
        self.loss_of = compiled(self._loss_of, way)
        if self.loss_of != self._loss_of:
            for tensor in (images, labels):
                torch._dynamo.mark_static_address(tensor)  # else reduce-overhead copies them at every step
        self.captures = way in ("graph", "compile-graph")
        self.graphs = {}

    def _loss_of(self, rows):
        x = self.network.normalised(self.images[rows].float() / 255)
        return nn.functional.cross_entropy(self.network.trunk(x), self.labels[rows])

    def step(self, rows):
        begin_step(self.way)
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss_of(rows)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def epoch(self):
        order = torch.randperm(len(self.images), device=self.device)
        for begin in range(0, len(order), self.batch):
            rows = order[begin : begin + self.batch]
            if self.captures:
                if len(rows) not in self.graphs:
                    place = rows.clone()
                    self.graphs[len(rows)] = (place, Captured(self.step, place))
                place, graph = self.graphs[len(rows)]
                place.copy_(rows)
                loss = graph()
            else:
                loss = self.step(rows)
        return loss.item()
