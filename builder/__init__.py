"""From camera brackets to aligned scenes and candidate images."""
