# -*- coding: utf-8 -*-
def Größe(жук):
    """Σ – 合計 🐍."""
    return [sum(жук[: ende + 1]) for ende in range(len(жук))]


solve = Größe
