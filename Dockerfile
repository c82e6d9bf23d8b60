# For the CPU; for CUDA: --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130
# docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/photos" irflow restore rainy.jpg --task derain
# Without --user the results belong to root. `irflow serve` answers on the container's own 127.0.0.1 only: no browser outside reaches it.
FROM python:3.13-slim
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY constraints.txt /
RUN pip install --no-cache-dir -c /constraints.txt torch --index-url "$TORCH_INDEX"
COPY . /src
# A container has no display, for which opencv-python would need more libraries.
RUN pip install --no-cache-dir -c /constraints.txt /src \
    && pip uninstall -y opencv-python \
    && pip install --no-cache-dir -c /constraints.txt opencv-python-headless
# With --user there is no home folder; the cache needs one.
ENV HOME=/tmp
WORKDIR /photos
ENTRYPOINT ["irflow"]
