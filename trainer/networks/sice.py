"""The three networks of SICE (Cai, Gu, Zhang, IEEE TIP 27(4), 2018), as in the released prototxt files."""
