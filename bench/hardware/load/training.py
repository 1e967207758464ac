"""A real training load, where PyTorch is installed."""

import time

import torch


def train(seconds):
    """Trains a small transformer on noise for a time; returns that time."""
    device = torch.device("cuda", 0)
    layer = torch.nn.TransformerEncoderLayer(512, 8, 2048, batch_first=True)
    model = torch.nn.TransformerEncoder(layer, 6).to(device)
    optimizer = torch.optim.AdamW(model.parameters())
    data = torch.randn(16, 256, 512, device=device)
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        optimizer.zero_grad()
        loss = (model(data) - data).square().mean()
        loss.backward()
        optimizer.step()
        torch.cuda.synchronize()
    return time.monotonic() - began
