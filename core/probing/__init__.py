"""What a finished run's encoder does with texts of one's own: embed, look into the fusion, knock slots out."""
