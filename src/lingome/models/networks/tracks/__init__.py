"""Convolutions and attention to tracks of binned signal: Enformer."""

from lingome.models.architecture import Architecture
from lingome.models.networks.tracks.folder import FAMILIES
from lingome.models.networks.tracks.model import Tracks, TracksBody, initialise_tracks
from lingome.models.networks.tracks.shape import TracksConfig

ARCHITECTURE = Architecture(
    "convolution and attention to tracks", TracksConfig, TracksBody, initialise_tracks, FAMILIES,
    models={"tracks": Tracks},
)
