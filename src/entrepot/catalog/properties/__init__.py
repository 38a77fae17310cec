"""What is told of repositories, tags and manifests beside their content, and the attributes that lock them."""
